package host_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/uptrace/bun"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/database/databasetest"
	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/host/hosttest"
)

// ledger is a service that writes numbers: POST keeps one, GET lists them all.
func ledger() host.Service {
	migrations := fstest.MapFS{"postgres/00001_numbers.sql": {Data: []byte("-- +goose Up\nCREATE TABLE numbers (n BIGINT PRIMARY KEY);\n")}}
	return host.Service{Name: "ledger", Migrations: migrations, Register: func(_ context.Context, rt *host.Runtime) error {
		rt.Mux.HandleFunc("POST /ledger/numbers/{n}", func(w http.ResponseWriter, r *http.Request) {
			n, err := strconv.Atoi(r.PathValue("n"))
			if err == nil {
				err = rt.DB.Write(r.Context(), func(ctx context.Context, tx bun.Tx) error {
					_, err := tx.ExecContext(ctx, "INSERT INTO numbers VALUES (?)", n)
					return err
				})
			}
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		})
		rt.Mux.HandleFunc("GET /ledger/numbers", func(w http.ResponseWriter, r *http.Request) {
			var numbers []int
			if err := rt.DB.Reader().NewSelect().Table("numbers").Column("n").Order("n").Scan(r.Context(), &numbers); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			fmt.Fprint(w, numbers)
		})
		return nil
	}}
}

func dsnDir(t *testing.T, dsn string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "dsn"), []byte(dsn), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A PostgreSQL that crashes and comes back loses nothing that was
// acknowledged, and the replicas go on without a restart.
func TestPostgresComesBack(t *testing.T) {
	server := databasetest.StartPostgres(t)
	dir := dsnDir(t, server.Database())
	var replicas []*hosttest.Server
	for range 2 {
		replicas = append(replicas, hosttest.Start(t, hosttest.Options{Services: []host.Service{ledger()}, DatabaseDir: dir, Log: io.Discard}))
	}
	ready := func(status int) func() bool {
		return func() bool {
			for _, s := range replicas {
				if r, _ := get(t, http.DefaultClient, s.MetricsURL+"/readyz"); r.StatusCode != status {
					return false
				}
			}
			return true
		}
	}

	// Writers go on all the time, whatever they are answered.
	var mu sync.Mutex
	var kept []int
	refused := 0
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var writers sync.WaitGroup
	for w := range 8 {
		s := replicas[w%len(replicas)]
		client := s.Client(t)
		writers.Go(func() {
			for n := w; ctx.Err() == nil; n += 8 {
				r, err := client.Post(fmt.Sprintf("%s/ledger/numbers/%d", s.URL, n), "", nil)
				if err != nil {
					t.Error(err)
					return
				}
				r.Body.Close()
				mu.Lock()
				if r.StatusCode == http.StatusOK {
					kept = append(kept, n)
				} else {
					refused++
				}
				mu.Unlock()
			}
		})
	}
	written := func(more int) {
		t.Helper()
		mu.Lock()
		want := len(kept) + more
		mu.Unlock()
		await(t, "writes", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(kept) >= want
		})
	}
	for range 2 {
		written(50)
		server.Crash()
		await(t, "the replicas to be not ready", ready(http.StatusServiceUnavailable))
		server.Start()
		await(t, "the replicas to be ready again", ready(http.StatusOK))
		written(50)
	}
	stop()
	writers.Wait()
	if refused == 0 {
		t.Error("no write was refused: the crash hit nothing")
	}
	slices.Sort(kept)
	_, body := get(t, replicas[0].Client(t), replicas[0].URL+"/ledger/numbers")
	there := map[string]bool{}
	for _, n := range strings.Fields(strings.Trim(body, "[]")) {
		there[n] = true
	}
	for _, n := range kept {
		if !there[strconv.Itoa(n)] {
			t.Errorf("%d was acknowledged and is lost", n)
		}
	}
	t.Logf("%d writes acknowledged, %d refused, %d kept", len(kept), refused, len(there))
}

// Without its PostgreSQL the host ends with the reason, as with a claim that
// cannot be used; Kubernetes starts it again.
func TestPostgresIsNotThere(t *testing.T) {
	_, err := hosttest.TryStart(t, hosttest.Options{
		Services:    []host.Service{ledger()},
		DatabaseDir: dsnDir(t, "host="+t.TempDir()+" user=linli password=secret-4711 dbname=linli"),
	})
	if err == nil || !strings.Contains(err.Error(), "check that the PostgreSQL server runs") || strings.Contains(err.Error(), "4711") {
		t.Errorf("the host started, or said: %v", err)
	}
}

func TestPostgresOfAnotherCommunity(t *testing.T) {
	dir := dsnDir(t, databasetest.Postgres(t))
	first := hosttest.Start(t, hosttest.Options{Services: []host.Service{ledger()}, DatabaseDir: dir})
	other := hosttest.Community()
	other.UID = "44444444-4444-4444-4444-444444444444"
	start := func(c *v1alpha1.Community) error {
		_, err := hosttest.TryStart(t, hosttest.Options{Services: []host.Service{ledger()}, Community: c, DatabaseDir: dir})
		return err
	}
	if err := start(other); err == nil || !strings.Contains(err.Error(), "spec.adopt") {
		t.Errorf("the host started on another community's data: %v", err)
	}
	first.Stop(t)
	adopting := other.DeepCopy()
	adopting.Spec.Adopt = string(hosttest.Community().UID)
	if err := start(adopting); err != nil {
		t.Errorf("adopting: %v", err)
	}
}
