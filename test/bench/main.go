// Command bench measures Linli against references in the same run and prints
// one table of ratios. A number alone says more about the machine than about
// the program; a ratio holds elsewhere too.
//
//	go run ./test/bench                               everything, about ten minutes
//	go run ./test/bench -only=bookings,pages          some of it
//	go run ./test/bench -write=docs/performance.md    and put the table into the document
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
	_ "time/tzdata"

	"github.com/go-logr/logr"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/test/instance"
)

// zone is the time zone of the measured community.
var zone = func() *time.Location {
	l, err := time.LoadLocation(timeZone)
	if err != nil {
		panic(err) // tzdata is linked in
	}
	return l
}()

// measurements are what is measured, in the order of the table.
var measurements = []struct {
	name string
	run  func(context.Context, *bench) ([]row, error)
}{
	{"bookings", measureBookings},
	{"postgres", measureBookingsPostgres},
	{"orders", measureOrders},
	{"orders-postgres", measureOrdersPostgres},
	{"pages", measurePages},
	{"meals", measureMeals},
	{"memory", measureMemory},
	{"ready", measureReady},
	{"county", measureCounty},
}

// bench is what measurements share.
type bench struct {
	binary string // linli
	root   string // the repository
	dir    string // scratch
}

// say tells whoever waits how far the run is.
func (b *bench) say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// instance is a community's program that has not been started yet.
func (b *bench) instance(name string, c *v1alpha1.Community) (*instance.Instance, error) {
	dir := filepath.Join(b.dir, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	return instance.New(b.binary, dir, c, benchRelease())
}

func main() {
	only := flag.String("only", "", "measure only these, separated by commas: "+strings.Join(names(), ", "))
	write := flag.String("write", "", "also put the table into this document, between its markers")
	flag.Parse()
	ctrllog.SetLogger(logr.Discard()) // the clients of the Kubernetes measurements return what goes wrong
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *only, *write); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func names() []string {
	var n []string
	for _, m := range measurements {
		n = append(n, m.name)
	}
	return n
}

func run(ctx context.Context, only, write string) (err error) {
	chosen := names()
	if only != "" {
		chosen = strings.Split(only, ",")
		for _, c := range chosen {
			if !slices.Contains(names(), c) {
				return fmt.Errorf("-only: there is no measurement %q; there are %s", c, strings.Join(names(), ", "))
			}
		}
	}
	b := &bench{}
	if b.root, err = os.Getwd(); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "linli-bench-"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w (logs are kept in %s)", err, b.dir)
			return
		}
		err = os.RemoveAll(b.dir)
	}()
	if b.binary, err = instance.Binary(ctx, b.dir); err != nil {
		return err
	}
	var rows []row
	for _, m := range measurements {
		if !slices.Contains(chosen, m.name) {
			continue
		}
		r, err := m.run(ctx, b)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		rows = append(rows, r...)
	}
	var table bytes.Buffer
	fmt.Fprintf(&table, "%s\n\n", machine(time.Now()))
	markdown(&table, rows)
	fmt.Print(table.String())
	if write == "" {
		return nil
	}
	return replaceTable(write, table.String())
}

// The table in the document stands between these lines.
const (
	tableBegin = "<!-- table: written by make bench -->"
	tableEnd   = "<!-- end of table -->"
)

func replaceTable(path, table string) error {
	document, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(document), tableBegin)
	_, after, ok2 := strings.Cut(rest, tableEnd)
	if !ok || !ok2 {
		return fmt.Errorf("%s has no place for the table: it needs the lines %q and %q", path, tableBegin, tableEnd)
	}
	return os.WriteFile(path, []byte(before+tableBegin+"\n"+table+tableEnd+after), 0o644)
}
