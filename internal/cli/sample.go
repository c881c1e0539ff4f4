package cli

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/sample"
)

func sampleCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sample",
		Short: "Fill communities with sample people, and sign in as them",
		Long: "Works where the provider shows its codes on the page, as that of the embedded cluster does.\n" +
			"The people and their numbers are made up.",
	}
	cmd.AddCommand(samplePeopleCommand(), sampleCodeCommand())
	return cmd
}

func samplePeopleCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "people",
		Short: "Make all communities of the cluster know the sample people",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, out := cmd.Context(), cmd.OutOrStdout()
			cluster, err := clusterClient()
			if err != nil {
				return err
			}
			var list v1alpha1.CommunityList
			if err := cluster.List(ctx, &list); err != nil {
				return fmt.Errorf("communities: %w", err)
			}
			v, err := newVisitor(devDir(), time.Now)
			if err != nil {
				return err
			}
			for i, c := range list.Items {
				if len(c.Spec.Managers) == 0 || c.Status.URL == "" {
					continue
				}
				code, err := invitation(ctx, cluster, c.Name, c.Spec.Managers[0].Name)
				if err != nil {
					return err
				}
				err = sample.Community{
					URL: c.Status.URL, Client: &http.Client{Transport: identity.LoopbackTransport(), Timeout: time.Minute},
					Token:   v.tokens(c.Status.URL),
					Today:   time.Now(),
					Manager: c.Spec.Managers[0].Name, Invitation: code,
					// An authenticator's code is good once in half a minute:
					// one manager for all would have to wait each time.
					ManagerPhone: fmt.Sprintf("1380001%04d", i),
				}.Fill(ctx)
				if err != nil {
					return fmt.Errorf("community %s: %w", c.Name, err)
				}
				for _, p := range sample.People {
					if _, known := v.secrets[p.Phone]; p.Staff() && !known {
						if _, err := v.token(ctx, c.Status.URL, p.Phone, true); err != nil {
							return fmt.Errorf("%s chooses a password: %w", p.Account, err)
						}
					}
				}
				fmt.Fprintf(out, "  %s knows the sample people\n", c.Name)
			}
			fmt.Fprintf(out, "\nSign in with the number of one of them; the code is shown on the page:\n\n")
			for _, p := range sample.People {
				if p.Account != "" {
					fmt.Fprintf(out, "  %s  %-28s %s\n", p.Phone, p.LatinName+" "+p.Name, strings.Join(duties(p), ", "))
				}
			}
			fmt.Fprintf(out, "\nStaff also need a password and an app: bin/linli sample code sun-li prints both.\n")
			return nil
		},
	}
}

func duties(p sample.Person) []string {
	var names []string
	for _, d := range p.Duties {
		names = append(names, string(d))
	}
	return names
}

func sampleCodeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "code PERSON",
		Short: "Print the password of a sample member of staff, and a code of their app",
		Long: "Print the password of a sample member of staff, and the code that their app shows. A code is good\n" +
			"once: if the present one was used, this waits for the next, at most half a minute.",
		Args:      cobra.ExactArgs(1),
		ValidArgs: []string{"sun-li", "zhou-jianguo"},
		RunE: func(cmd *cobra.Command, args []string) error {
			p, ok := sample.Of(args[0])
			if !ok || !p.Staff() {
				return fmt.Errorf("there is no sample member of staff %q; linli token --list names them", args[0])
			}
			v, err := newVisitor(devDir(), time.Now)
			if err != nil {
				return err
			}
			secret, ok := v.secrets[p.Phone]
			if !ok {
				return fmt.Errorf("%s has no password yet: choose one when you sign in", args[0])
			}
			if secret.Used, err = v.freshCode(cmd.Context(), secret); err != nil {
				return err
			}
			if err := v.remember(p.Phone, secret); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "number    %s\npassword  %s\ncode      %s\n", p.Phone, secret.Password, secret.Used)
			return err
		},
	}
}

func inviteCommand() *cobra.Command {
	var community string
	cmd := &cobra.Command{
		Use:   "invite MANAGER --community NAME",
		Short: "Print the invitation of a manager whom the manifest of a community names",
		Long: `Print where a manager whom spec.managers of a Community names becomes one: hand it over
personally. They sign in there in the way that staff must, and are the manager from then
on; the invitation is good once.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cluster, err := clusterClient()
			if err != nil {
				return err
			}
			c, err := getCommunity(cmd.Context(), cluster, community)
			if err != nil {
				return err
			}
			if !slices.ContainsFunc(c.Spec.Managers, func(m v1alpha1.Manager) bool { return m.Name == args[0] }) {
				return fmt.Errorf("spec.managers of community %q does not name %q: add them there first", community, args[0])
			}
			code, err := invitation(cmd.Context(), cluster, community, args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "address  %s/residents/invitation?manager=%s\ncode     %s\n", c.Status.URL, args[0], code)
			return err
		},
	}
	cmd.Flags().StringVar(&community, "community", "", "name of the Community")
	if err := cmd.MarkFlagRequired("community"); err != nil {
		panic(err) // the flag is defined above
	}
	return cmd
}
