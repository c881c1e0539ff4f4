package host_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/uptrace/bun"
	"k8s.io/utils/clock"

	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/host/hosttest"
	"github.com/linli-io/linli/internal/telemetry"
)

// notebook is a service that writes: POST adds 64 KB, GET reads them all.
func notebook() host.Service {
	return host.Service{Name: "notebook", Migrations: notes, Register: func(_ context.Context, rt *host.Runtime) error {
		rt.Mux.HandleFunc("POST /notebook/notes", func(w http.ResponseWriter, r *http.Request) {
			body := make([]byte, 64<<10)
			rand.Read(body)
			err := rt.DB.Write(r.Context(), func(ctx context.Context, tx bun.Tx) error {
				_, err := tx.ExecContext(ctx, "INSERT INTO notes (body) VALUES (?)", body)
				return err
			})
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		})
		rt.Mux.HandleFunc("GET /notebook/notes", func(w http.ResponseWriter, r *http.Request) {
			var n int64
			if err := rt.DB.Reader().QueryRowContext(r.Context(), "SELECT sum(length(hex(body))) FROM notes").Scan(&n); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			fmt.Fprint(w, n)
		})
		return nil
	}}
}

func write(t *testing.T, s *hosttest.Server, client *http.Client) error {
	t.Helper()
	r, err := client.Post(s.URL+"/notebook/notes", "", nil)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(r.Body)
		return errors.New(string(body))
	}
	return nil
}

// A database that is damaged while the host runs makes it end, so that
// Kubernetes shows the reason, instead of answering from half of the data.
func TestDamageWhileRunningEndsTheHost(t *testing.T) {
	first := hosttest.Start(t, hosttest.Options{Services: []host.Service{notebook()}})
	client := first.Client(t)
	for range 100 {
		if err := write(t, first, client); err != nil {
			t.Fatal(err)
		}
	}
	first.Stop(t)

	s := hosttest.Start(t, hosttest.Options{Services: []host.Service{notebook()}, DataDir: first.DataDir})
	path := filepath.Join(s.DataDir, "notebook.db")
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(make([]byte, info.Size()-3*4096), 3*4096); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	get(t, s.Client(t), s.URL+"/notebook/notes")
	err = <-s.Ended()
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("the host ended with: %v", err)
	}

	// And it does not start again over it.
	_, err = hosttest.TryStart(t, hosttest.Options{Services: []host.Service{notebook()}, DataDir: s.DataDir})
	if err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("the host started over a damaged database: %v", err)
	}
}

// A suspicion that is not confirmed ends nothing.
func TestSoundStorageIsNotGivenUp(t *testing.T) {
	s := hosttest.Start(t, hosttest.Options{Services: []host.Service{{
		Name: "notebook", Migrations: notes, Register: func(_ context.Context, rt *host.Runtime) error {
			rt.Mux.HandleFunc("GET /notebook/wrong", func(w http.ResponseWriter, r *http.Request) {
				// Writing through the reader is refused as if it were read-only.
				_, err := rt.DB.Reader().ExecContext(r.Context(), "INSERT INTO notes (body) VALUES ('x')")
				fmt.Fprint(w, err)
			})
			return nil
		}}}})
	client := s.Client(t)
	for range 3 {
		if _, body := get(t, client, s.URL+"/notebook/wrong"); !strings.Contains(body, "readonly") {
			t.Fatalf("the write was not refused: %s", body)
		}
	}
	if r, _ := get(t, http.DefaultClient, s.MetricsURL+"/readyz"); r.StatusCode != http.StatusOK {
		t.Errorf("not ready: %s", r.Status)
	}
}

// TestFullDisk runs the host in a process that is soon no longer allowed to let
// files grow, which is what a full disk is to it.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	s := hosttest.Start(t, hosttest.Options{}) // for its configuration files
	termination := filepath.Join(dir, "termination-log")
	child := exec.Command(os.Args[0], "-test.run=^TestFullDiskProcess$")
	child.Env = append(os.Environ(), "LINLI_TEST_FULL_DISK="+dir, "LINLI_TEST_CONFIG="+s.ConfigDir)
	out, err := child.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 {
		t.Fatalf("the process ended with %v, want exit code 1:\n%s", err, out)
	}
	message, err := os.ReadFile(termination)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{dir, "full", "claim"} {
		if !strings.Contains(string(message), want) {
			t.Errorf("the termination message does not say %q: %s", want, message)
		}
	}
	if strings.Count(string(message), "\n") != 1 {
		t.Errorf("the termination message is not one line: %s", message)
	}
	t.Logf("%s", message)
}

// TestFullDiskProcess is the process of TestFullDisk.
func TestFullDiskProcess(t *testing.T) {
	dir := os.Getenv("LINLI_TEST_FULL_DISK")
	if dir == "" {
		return
	}
	signal.Ignore(syscall.SIGXFSZ) // or the process is killed instead of told
	data := filepath.Join(dir, "data")
	if err := errors.Join(os.Mkdir(data, 0o700), os.WriteFile(filepath.Join(dir, "session.key"), make([]byte, 32), 0o600)); err != nil {
		t.Fatal(err)
	}
	service := notebook()
	register := service.Register
	service.Register = func(ctx context.Context, rt *host.Runtime) error {
		rt.Go("writer", func(ctx context.Context) error {
			for n := 0; ctx.Err() == nil; n++ {
				if n == 20 {
					limit := syscall.Rlimit{Cur: 256 << 10, Max: 256 << 10}
					if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
						return err
					}
				}
				err := rt.DB.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
					_, err := tx.ExecContext(ctx, "INSERT INTO notes (body) VALUES (randomblob(65536))")
					return err
				})
				if err != nil {
					return nil // the host is to find out by itself
				}
			}
			return nil
		})
		return register(ctx, rt)
	}
	err := host.Run(t.Context(), host.Options{
		Services:  []host.Service{service},
		ConfigDir: os.Getenv("LINLI_TEST_CONFIG"), KeysDir: dir, DataDir: data,
		Address: "127.0.0.1:0", MetricsAddress: "127.0.0.1:0",
		TerminationMessage: filepath.Join(dir, "termination-log"),
		Clock:              clock.RealClock{},
		Log:                telemetry.NewLogger(os.Stdout, nil),
	})
	if err != nil {
		os.Exit(1)
	}
}
