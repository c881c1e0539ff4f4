package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/linli-io/linli/api/v1alpha1"
)

type tokenOptions struct {
	community, person, url string
	list                   bool
}

func tokenCommand() *cobra.Command {
	var o tokenOptions
	cmd := &cobra.Command{
		Use:   "token --community NAME --as PERSON",
		Short: "Print a bearer token of a demo person, for scripts",
		Long: `Print a bearer token of a demo person, for scripts. It is good for an hour and for
one community. The community is found through the kubeconfig: KUBECONFIG, else that
of the embedded cluster beneath the current directory, else the user's own.`,
		Example: `  linli token --community zhanqian --list
  linli token --community zhanqian --as li-qiang
  curl -H "Authorization: Bearer $(linli token --community zhanqian --as li-qiang)" \
    http://zhanqian.localhost:8080/booking/api/v1/venues`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runToken(cmd.Context(), cmd.OutOrStdout(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.community, "community", "", "name of the Community")
	f.StringVar(&o.url, "url", "", "address of the community, instead of finding it through the kubeconfig")
	f.StringVar(&o.person, "as", "", "the person; --list names them")
	f.BoolVar(&o.list, "list", false, "name the people instead")
	cmd.MarkFlagsOneRequired("community", "url")
	cmd.MarkFlagsMutuallyExclusive("community", "url")
	cmd.MarkFlagsOneRequired("as", "list")
	cmd.MarkFlagsMutuallyExclusive("as", "list")
	return cmd
}

func runToken(ctx context.Context, out io.Writer, o tokenOptions) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	url := strings.TrimSuffix(o.url, "/")
	if url == "" {
		var err error
		if url, err = communityURL(ctx, o.community); err != nil {
			return err
		}
	}
	if o.list {
		return listPeople(ctx, out, url)
	}
	var got struct{ Token string }
	if err := call(ctx, http.MethodPost, url+"/identity/demo/token", map[string]string{"person": o.person}, &got); err != nil {
		return fmt.Errorf("token for %q: %w; --list names the people", o.person, err)
	}
	_, err := fmt.Fprintln(out, got.Token)
	return err
}

func listPeople(ctx context.Context, out io.Writer, url string) error {
	var got struct {
		People []struct{ Person, Name, LatinName, Role, BornOn string }
	}
	if err := call(ctx, http.MethodGet, url+"/identity/demo/people", nil, &got); err != nil {
		return fmt.Errorf("list of people: %w", err)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PERSON\tROLE\tBORN\tNAME")
	for _, p := range got.People {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s (%s)\n", p.Person, p.Role, p.BornOn, p.LatinName, p.Name)
	}
	return w.Flush()
}

// communityURL is where a community is reached, as its status says.
func communityURL(ctx context.Context, name string) (string, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	if os.Getenv(clientcmd.RecommendedConfigPathEnvVar) == "" {
		dir := os.Getenv("LINLI_DEV_DIR")
		if dir == "" {
			dir = ".dev"
		}
		embedded := filepath.Join(dir, "kubeconfig")
		if _, err := os.Stat(embedded); err == nil {
			rules.ExplicitPath = embedded
		}
	}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		return "", fmt.Errorf("no cluster to ask (%w): set KUBECONFIG, start the embedded cluster with make up, or name the address with --url", err)
	}
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return "", err
	}
	cluster, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return "", fmt.Errorf("cluster at %s: %w; is it running?", config.Host, err)
	}
	var community v1alpha1.Community
	if err := cluster.Get(ctx, client.ObjectKey{Name: name}, &community); err != nil {
		if apierrors.IsNotFound(err) {
			return "", fmt.Errorf("there is no community %q; kubectl get communities lists them", name)
		}
		return "", fmt.Errorf("community %q: %w", name, err)
	}
	if community.Status.URL == "" {
		return "", fmt.Errorf("community %q has no address yet; kubectl describe community %[1]s says why", name)
	}
	return community.Status.URL, nil
}

// call sends body, if any, as JSON and decodes the answer into result. A
// problem document becomes an error.
func call(ctx context.Context, method, url string, body, result any) error {
	var content io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(data)
	}
	request, err := http.NewRequestWithContext(ctx, method, url, content)
	if err != nil {
		return err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := localhostClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		var problem struct{ Detail string }
		if err := json.NewDecoder(answer.Body).Decode(&problem); err != nil || problem.Detail == "" {
			return fmt.Errorf("%s answers %s", url, answer.Status)
		}
		return errors.New(problem.Detail)
	}
	if err := json.NewDecoder(answer.Body).Decode(result); err != nil {
		return fmt.Errorf("answer of %s: %w", url, err)
	}
	return nil
}

// localhostClient reaches *.localhost on this machine, as browsers and curl do
// but Go's resolver does not.
var localhostClient = func() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	var dialer net.Dialer
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if host, port, err := net.SplitHostPort(address); err == nil && strings.HasSuffix(host, ".localhost") {
			address = net.JoinHostPort("127.0.0.1", port)
		}
		return dialer.DialContext(ctx, network, address)
	}
	return &http.Client{Transport: transport}
}()
