package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/controllers/community"
	"github.com/linli-io/linli/controllers/communityclass"
)

// envImage names the image that the operator itself runs; classes that name
// none run it too.
const envImage = "LINLI_IMAGE"

func operatorCommand() *cobra.Command {
	var healthAddress, metricsAddress string
	cmd := &cobra.Command{
		Use:   "operator",
		Short: "Turn Community manifests into running tenants",
		Long: `Turn Community manifests into running tenants.

The operator finds the cluster like kubectl does, or by its service account
inside one. ` + envImage + ` names the image that classes without one of their own run.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runOperator(cmd.Context(), healthAddress, metricsAddress)
		},
	}
	cmd.Flags().StringVar(&healthAddress, "health-address", ":8081", "address of /healthz and /readyz")
	cmd.Flags().StringVar(&metricsAddress, "metrics-address", ":8080", "address of /metrics")
	return cmd
}

func runOperator(ctx context.Context, healthAddress, metricsAddress string) error {
	image := os.Getenv(envImage)
	if image == "" {
		return fmt.Errorf("%s is not set: it names the image that communities run when their class names none; config/manager sets it to the operator's own", envImage)
	}
	ctrl.SetLogger(logr.FromSlogHandler(slog.NewJSONHandler(os.Stdout, nil)))
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the cluster: %w", err)
	}
	mgr, err := newManager(config, healthAddress, metricsAddress)
	if err != nil {
		return err
	}
	if err := addControllers(ctx, mgr, image); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

// newManager holds what the controllers share: leader election, so that two
// operators never work at the same time, health, metrics, and the cache.
func newManager(config *rest.Config, healthAddress, metricsAddress string) (manager.Manager, error) {
	// The workers bound how much is asked of the API server at a time, and it
	// defends itself by priority and fairness; a rate here would only add to
	// the time that a hundred communities take.
	config.QPS = -1
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), gatewayv1.Install(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	stop := 20 * time.Second
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                        scheme,
		Cache:                         community.CacheOptions(),
		Metrics:                       metricsserver.Options{BindAddress: metricsAddress},
		HealthProbeBindAddress:        healthAddress,
		LeaderElection:                true,
		LeaderElectionID:              "linli-operator",
		LeaderElectionNamespace:       v1alpha1.PlatformNamespace,
		LeaderElectionReleaseOnCancel: true,
		GracefulShutdownTimeout:       &stop,
	})
	if err != nil {
		return nil, fmt.Errorf("reach the cluster: %w", err)
	}
	for _, kind := range []struct {
		kind   schema.GroupVersionKind
		remedy string
	}{
		{schema.GroupVersion(gatewayv1.GroupVersion).WithKind("HTTPRoute"), "install the CRDs of the Gateway API (https://gateway-api.sigs.k8s.io/guides/)"},
		{v1alpha1.GroupVersion.WithKind("Community"), "kubectl apply --server-side -k config/default"},
	} {
		if _, err := mgr.GetRESTMapper().RESTMapping(kind.kind.GroupKind(), kind.kind.Version); meta.IsNoMatchError(err) {
			return nil, fmt.Errorf("the cluster does not know %s; %s", kind.kind.GroupKind(), kind.remedy)
		} else if err != nil {
			return nil, fmt.Errorf("ask the cluster about %s: %w", kind.kind.GroupKind(), err)
		}
	}
	if err := errors.Join(mgr.AddHealthzCheck("ping", healthz.Ping), mgr.AddReadyzCheck("ping", healthz.Ping)); err != nil {
		return nil, err
	}
	return mgr, nil
}

func addControllers(ctx context.Context, mgr manager.Manager, image string) error {
	events := mgr.GetEventRecorder("linli-operator")
	classes := &communityclass.Reconciler{
		Client: mgr.GetClient(),
		Events: events,
		Clock:  clock.RealClock{},
		Image:  image,
	}
	communities := &community.Reconciler{
		Client: mgr.GetClient(),
		Live:   mgr.GetAPIReader(),
		Events: events,
		Clock:  clock.RealClock{},
	}
	return errors.Join(classes.SetupWithManager(mgr), communities.SetupWithManager(ctx, mgr))
}
