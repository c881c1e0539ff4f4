package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/linli-io/linli/internal/audit"
	"github.com/linli-io/linli/internal/database"
)

type auditOptions struct{ data, database, since string }

func auditCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "audit", Short: "Look after the audit of a community"}
	cmd.AddCommand(auditVerifyCommand())
	return cmd
}

func auditVerifyCommand() *cobra.Command {
	var o auditOptions
	cmd := &cobra.Command{
		Use:   "verify --data DIRECTORY | --database DIRECTORY",
		Short: "Check that no entry of the audit was changed, removed or put in",
		Long: `Check that no entry of the audit was changed, removed or put in. Each database of a
community has an audit of its own; all of them are read, and nothing is written. The
community's services may run meanwhile.

Keep what it prints: with --since it also finds that an audit was cut off at its end
or written anew as a whole since then, which shows in nothing that is in the database.`,
		Example: `  kubectl exec --namespace community-zhanqian deployment/linli -- linli audit verify --data /var/lib/linli > heads
  linli audit verify --data /backup/zhanqian --since heads`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runAuditVerify(cmd.Context(), cmd.OutOrStdout(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.data, "data", "", "data directory of the community, with SQLite files")
	f.StringVar(&o.database, "database", "", "directory with dsn, the connection string of the community's PostgreSQL database")
	f.StringVar(&o.since, "since", "", "file with what this command printed earlier")
	cmd.MarkFlagsOneRequired("data", "database")
	cmd.MarkFlagsMutuallyExclusive("data", "database")
	return cmd
}

func runAuditVerify(ctx context.Context, out io.Writer, o auditOptions) (err error) {
	known := map[string]audit.Head{}
	if o.since != "" {
		if known, err = readHeads(o.since); err != nil {
			return err
		}
	}
	var existing *database.Existing
	if o.data != "" {
		existing, err = database.ReadDirectory(o.data)
	} else {
		existing, err = database.ReadServer(ctx, o.database)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, existing.Close()) }()
	var broken []error
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "DATABASE\tENTRIES\tHEAD\tSTATE")
	for _, name := range existing.Names {
		report, err := verifyOne(ctx, existing, name, known)
		if err != nil {
			return errors.Join(fmt.Errorf("database %s: %w", name, err), w.Flush())
		}
		state := "ok"
		if report.Bad != nil {
			state = fmt.Sprintf("BROKEN at entry %d: %s", report.Bad.Seq, report.Bad.Problem)
			broken = append(broken, fmt.Errorf("the audit of database %s is broken at entry %d: %s",
				name, report.Bad.Seq, report.Bad.Problem))
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\n", name, report.Entries, report.Head, state)
		delete(known, name)
	}
	for name := range known {
		broken = append(broken, fmt.Errorf("the database %s is gone: %s names it", name, o.since))
	}
	return errors.Join(append(broken, w.Flush())...)
}

func verifyOne(ctx context.Context, existing *database.Existing, name string, known map[string]audit.Head) (report audit.Report, err error) {
	db, err := existing.Open(name)
	if err != nil {
		return audit.Report{}, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var heads []audit.Head
	if head, ok := known[name]; ok {
		heads = append(heads, head)
	}
	return audit.Verify(ctx, db, heads...)
}

// readHeads reads what the command printed earlier.
func readHeads(path string) (map[string]audit.Head, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("heads noted earlier: %w", err)
	}
	defer f.Close()
	heads := map[string]audit.Head{}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		fields := strings.Fields(lines.Text())
		if n == 1 || len(fields) == 0 {
			continue
		}
		if len(fields) < 4 {
			return nil, fmt.Errorf("%s, line %d: it is no line of linli audit verify", path, n)
		}
		if heads[fields[0]], err = audit.ParseHead(fields[2]); err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", path, n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return heads, nil
}
