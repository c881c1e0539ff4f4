// Package gateway serves the HTTPRoutes of the Gateway API on a port of the
// loopback address, straight to the ready Pods of Services.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"reflect"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayclient "sigs.k8s.io/gateway-api/pkg/client/clientset/versioned"
	gatewayinformers "sigs.k8s.io/gateway-api/pkg/client/informers/externalversions"
	gatewaylisters "sigs.k8s.io/gateway-api/pkg/client/listers/apis/v1"

	"github.com/linli-io/linli/hack/devcluster/controlplane"
)

// controllerName is what the GatewayClass names.
const controllerName = "linli.io/devcluster"

// settle is how long the gateway waits for more changes before it takes them up.
const settle = 30 * time.Millisecond

// Run serves until ctx ends.
func Run(ctx context.Context, l controlplane.Layout) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	config, err := clientcmd.BuildConfigFromFlags("", l.Kubeconfig("gateway"))
	if err != nil {
		return fmt.Errorf("reading the gateway's kubeconfig: %w", err)
	}
	config.QPS, config.Burst = 100, 200
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	routes, err := gatewayclient.NewForConfig(config)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", l.GatewayPort))
	if err != nil {
		return fmt.Errorf("listening for requests: %w", err)
	}
	c := &controller{client: routes, proxy: NewProxy(log), port: int32(l.GatewayPort), log: log, changed: make(chan struct{}, 1)}
	server := newServer(c.proxy)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	go c.run(ctx, client)
	select {
	case err := <-ended:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := server.Shutdown(stopCtx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// controller keeps the proxy's table and the statuses current.
type controller struct {
	client  gatewayclient.Interface
	proxy   *Proxy
	port    int32
	log     *slog.Logger
	changed chan struct{} // holds one note that something changed

	classes    gatewaylisters.GatewayClassLister
	gateways   gatewaylisters.GatewayLister
	routes     gatewaylisters.HTTPRouteLister
	grants     gatewaylisters.ReferenceGrantLister
	namespaces corelisters.NamespaceLister
	services   corelisters.ServiceLister
	pods       corelisters.PodLister
}

func (c *controller) run(ctx context.Context, client kubernetes.Interface) {
	// The resources are defined, and the gateway is allowed to read them, a while
	// after the cluster has started.
	_ = wait.PollUntilContextCancel(ctx, 500*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		_, err := c.client.GatewayV1().ReferenceGrants(metav1.NamespaceAll).List(ctx, metav1.ListOptions{Limit: 1})
		return err == nil, nil
	})
	core := informers.NewSharedInformerFactory(client, 0)
	api := gatewayinformers.NewSharedInformerFactory(c.client, 0)
	v := api.Gateway().V1()
	c.classes, c.gateways = v.GatewayClasses().Lister(), v.Gateways().Lister()
	c.routes, c.grants = v.HTTPRoutes().Lister(), v.ReferenceGrants().Lister()
	c.namespaces, c.services = core.Core().V1().Namespaces().Lister(), core.Core().V1().Services().Lister()
	c.pods = core.Core().V1().Pods().Lister()
	note := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { c.note() },
		UpdateFunc: func(_, _ any) { c.note() },
		DeleteFunc: func(any) { c.note() },
	}
	for _, informer := range []cache.SharedIndexInformer{
		v.GatewayClasses().Informer(), v.Gateways().Informer(), v.HTTPRoutes().Informer(), v.ReferenceGrants().Informer(),
		core.Core().V1().Namespaces().Informer(), core.Core().V1().Services().Informer(), core.Core().V1().Pods().Informer(),
	} {
		if _, err := informer.AddEventHandler(note); err != nil {
			c.log.Error("watching", "error", err) // only of a stopped informer
		}
	}
	core.Start(ctx.Done())
	api.Start(ctx.Done())
	core.WaitForCacheSync(ctx.Done())
	api.WaitForCacheSync(ctx.Done())
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-c.changed:
			time.Sleep(settle)
			c.update(ctx)
		}
	}
}

func (c *controller) note() {
	select {
	case c.changed <- struct{}{}:
	default: // one note is enough
	}
}

// update takes the objects as they are now.
func (c *controller) update(ctx context.Context) {
	o, err := c.objects()
	if err != nil {
		c.log.Error("reading the caches", "error", err)
		return
	}
	result := resolve(o, c.port)
	c.proxy.table.Store(result.table)
	for _, err := range c.report(ctx, o, result) {
		if !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
			c.log.Warn("writing a status", "error", err)
		}
		time.AfterFunc(time.Second, c.note)
	}
}

func (c *controller) objects() (objects, error) {
	var o objects
	var errs [7]error
	all := labels.Everything()
	o.classes, errs[0] = c.classes.List(all)
	o.gateways, errs[1] = c.gateways.List(all)
	o.routes, errs[2] = c.routes.List(all)
	o.grants, errs[3] = c.grants.List(all)
	o.namespaces, errs[4] = c.namespaces.List(all)
	o.services, errs[5] = c.services.List(all)
	o.pods, errs[6] = c.pods.List(all)
	return o, errors.Join(errs[:]...)
}

// report writes the statuses that differ from what the objects have.
func (c *controller) report(ctx context.Context, o objects, result resolved) []error {
	var errs []error
	note := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	api := c.client.GatewayV1()
	for _, class := range o.classes {
		if class.Spec.ControllerName != controllerName {
			continue
		}
		changed := class.DeepCopy()
		meta.SetStatusCondition(&changed.Status.Conditions, condition(string(gatewayv1.GatewayClassConditionStatusAccepted), true,
			string(gatewayv1.GatewayClassReasonAccepted), "The class is served.", class.Generation))
		if !reflect.DeepEqual(class.Status, changed.Status) {
			_, err := api.GatewayClasses().UpdateStatus(ctx, changed, metav1.UpdateOptions{})
			note(err)
		}
	}
	for g, status := range result.gateways {
		status.Conditions = keepTimes(g.Status.Conditions, status.Conditions)
		for i, l := range status.Listeners {
			for _, old := range g.Status.Listeners {
				if old.Name == l.Name {
					status.Listeners[i].Conditions = keepTimes(old.Conditions, l.Conditions)
				}
			}
			status.Listeners[i].Conditions = keepTimes(nil, status.Listeners[i].Conditions)
		}
		if !reflect.DeepEqual(g.Status, status) {
			changed := g.DeepCopy()
			changed.Status = status
			_, err := api.Gateways(g.Namespace).UpdateStatus(ctx, changed, metav1.UpdateOptions{})
			note(err)
		}
	}
	for route, status := range result.routes {
		for i, parent := range status.Parents {
			for _, old := range route.Status.Parents {
				if old.ControllerName == controllerName && reflect.DeepEqual(old.ParentRef, parent.ParentRef) {
					status.Parents[i].Conditions = keepTimes(old.Conditions, parent.Conditions)
				}
			}
			status.Parents[i].Conditions = keepTimes(nil, status.Parents[i].Conditions)
		}
		if len(route.Status.Parents)+len(status.Parents) > 0 && !reflect.DeepEqual(route.Status.RouteStatus, status) {
			changed := route.DeepCopy()
			changed.Status.RouteStatus = status
			_, err := api.HTTPRoutes(route.Namespace).UpdateStatus(ctx, changed, metav1.UpdateOptions{})
			note(err)
		}
	}
	return errs
}

// keepTimes gives conditions the time of their last transition: the old one, if
// the status is the same, else now.
func keepTimes(old, conditions []metav1.Condition) []metav1.Condition {
	for i, c := range conditions {
		if was := meta.FindStatusCondition(old, c.Type); was != nil && was.Status == c.Status {
			conditions[i].LastTransitionTime = was.LastTransitionTime
		} else if c.LastTransitionTime.IsZero() {
			conditions[i].LastTransitionTime = metav1.Now()
		}
	}
	return conditions
}
