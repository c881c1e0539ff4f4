package cli

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/linli-io/linli/internal/sample"
)

func tokenCommand() *cobra.Command {
	var community, url, account string
	var list bool
	cmd := &cobra.Command{
		Use:   "token --community NAME --as PERSON",
		Short: "Print a bearer token of a sample person, for scripts",
		Long: `Print a bearer token of one of the sample people, for scripts: it signs in as they
would, where codes are shown on the page. The token is good for a few minutes and for one
community, which is found through the kubeconfig: KUBECONFIG, else that of the embedded
cluster beneath the current directory, else the user's own.`,
		Example: `  linli token --list
  linli token --community zhanqian --as li-qiang
  curl -H "Authorization: Bearer $(linli token --community zhanqian --as li-qiang)" \
    http://zhanqian.localhost:8080/booking/api/v1/bookings`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if list {
				w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
				fmt.Fprintln(w, "PERSON\tNUMBER\tBORN\tNAME\tDUTIES")
				for _, p := range sample.People {
					if p.Account != "" {
						fmt.Fprintf(w, "%s\t%s\t%s\t%s (%s)\t%v\n", p.Account, p.Phone, p.BornOn, p.LatinName, p.Name, p.Duties)
					}
				}
				return w.Flush()
			}
			p, ok := sample.Of(account)
			if !ok {
				return fmt.Errorf("there is no sample person %q; --list names them", account)
			}
			ctx := cmd.Context()
			if url == "" {
				cluster, err := clusterClient()
				if err != nil {
					return err
				}
				c, err := getCommunity(ctx, cluster, community)
				if err != nil {
					return err
				}
				url = c.Status.URL
			}
			v, err := newVisitor(devDir(), time.Now)
			if err != nil {
				return err
			}
			token, err := v.token(ctx, url, p.Phone, p.Staff())
			if err != nil {
				return fmt.Errorf("token for %s: %w", account, err)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), token)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&community, "community", "", "name of the Community")
	f.StringVar(&url, "url", "", "address of the community, instead of finding it through the kubeconfig")
	f.StringVar(&account, "as", "", "the person; --list names them")
	f.BoolVar(&list, "list", false, "name the people instead")
	cmd.MarkFlagsOneRequired("community", "url", "list")
	cmd.MarkFlagsMutuallyExclusive("community", "url", "list")
	cmd.MarkFlagsOneRequired("as", "list")
	cmd.MarkFlagsMutuallyExclusive("as", "list")
	return cmd
}
