package databasetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

var errNoPostgres = errors.New("PostgreSQL's server programs were not found: install the package postgresql")

// startOnce starts the server that the tests of a binary share.
var startOnce = sync.OnceValues(func() (*server, error) { return startPostgres(hasty) })

var databases atomic.Int64

// Postgres returns the connection string of a new, empty database on the
// server that the tests of a binary share. The server is started from the
// programs of Debian's package, on a Unix socket in a temporary directory, and
// is gone when the test binary is. Where the package is missing the test is
// left out, saying so; with CI=true that is a failure.
func Postgres(t testing.TB) string {
	t.Helper()
	server, err := startOnce()
	return newDatabase(t, server, err)
}

// Server is a PostgreSQL server of one test.
type Server struct {
	t testing.TB
	*server
}

// StartPostgres starts a server for one test, which may stop and start it.
func StartPostgres(t testing.TB) *Server {
	t.Helper()
	s, err := startPostgres(hasty)
	if err == nil {
		t.Cleanup(func() {
			if err := s.end(); err != nil {
				t.Errorf("ending PostgreSQL: %v", err)
			}
		})
	}
	skip(t, err)
	return &Server{t, s}
}

// Database returns the connection string of a new, empty database.
func (s *Server) Database() string {
	s.t.Helper()
	return newDatabase(s.t, s.server, nil)
}

// Crash ends the server at once, as a crash does, and returns when it is gone.
func (s *Server) Crash() {
	s.t.Helper()
	s.order("crash")
}

// Start starts the server again after a Crash and returns when it serves.
func (s *Server) Start() {
	s.t.Helper()
	s.order("start")
	if err := awaitPostgres(s.dir); err != nil {
		s.t.Fatal(err)
	}
}

// order gives the supervisor an order and waits until it is carried out.
func (s *Server) order(order string) {
	s.t.Helper()
	if _, err := fmt.Fprintln(s.lifeline, order); err != nil {
		s.t.Fatal(err)
	}
	if done, err := s.done.ReadString('\n'); err != nil || strings.TrimSpace(done) != order {
		s.t.Fatalf("PostgreSQL was told to %s: %q, %v", order, done, err)
	}
}

// skip leaves the test out if there is no PostgreSQL here.
func skip(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, errNoPostgres) && os.Getenv("CI") != "true" {
		t.Skipf("NOT TESTED ON POSTGRESQL: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func newDatabase(t testing.TB, s *server, err error) string {
	t.Helper()
	skip(t, err)
	ctx := t.Context()
	admin, err := pgx.Connect(ctx, dsn(s.dir, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(context.WithoutCancel(ctx))
	name := fmt.Sprintf("test%d", databases.Add(1))
	if _, err := admin.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return dsn(s.dir, name)
}

func dsn(dir, name string) string {
	return fmt.Sprintf("host=%s user=linli dbname=%s", dir, name)
}

// supervise runs the server as long as its standard input is open, and takes
// orders there. The pipe's other end is held by the test process, so that the
// server ends and its files are removed however the tests end.
const supervise = `
start() {
	"$1"/postgres -D "$2"/data -c listen_addresses= -c unix_socket_directories="$2" \
		-c fsync="$3" -c full_page_writes="$3" -c max_connections=200 >&2 &
	server=$!
}
start "$1" "$2" "$3"
while read -r order; do
	case $order in
	crash) kill -QUIT $server; wait $server ;;
	start) start "$1" "$2" "$3" ;;
	esac
	echo "$order"
done
kill -INT $server
wait $server
rm -rf "$2"
`

// What a server does about durability: nothing, for tests, or what a real one does.
const (
	hasty   = "off"
	durable = "on"
)

// Durable starts a server that syncs what it has acknowledged, as a real one
// does, for measurements. It returns the connection strings of two new, empty
// databases, and what ends the server.
func Durable() (one, other string, end func() error, err error) {
	s, err := startPostgres(durable)
	if err != nil {
		return "", "", nil, err
	}
	return dsn(s.dir, "postgres"), dsn(s.dir, "template1"), s.end, nil
}

// Guarded is the one role that has to show a password, if a test makes it.
const Guarded = "guarded"

// hba says who has to show what.
const hba = `
local all ` + Guarded + ` scram-sha-256
local all all trust
`

// server is a running PostgreSQL.
type server struct {
	// dir is where its socket is.
	dir string
	// lifeline is the test process' end of that pipe. It is kept here, because
	// a pipe that nothing refers to is closed by the garbage collector.
	lifeline   io.WriteCloser
	done       *bufio.Reader
	supervisor *exec.Cmd
}

// end ends the server and returns when it and its files are gone.
func (s *server) end() error {
	return errors.Join(s.lifeline.Close(), s.supervisor.Wait())
}

func startPostgres(durability string) (*server, error) {
	bin, err := postgresPrograms()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "linli-pg")
	if err != nil {
		return nil, err
	}
	sys := &syscall.SysProcAttr{Setsid: true} // out of reach of the terminal's Ctrl-C
	if os.Geteuid() == 0 {
		// The server refuses to run as root.
		if sys.Credential, err = unprivileged(); err != nil {
			return nil, err
		}
		if err := os.Chown(dir, int(sys.Credential.Uid), int(sys.Credential.Gid)); err != nil {
			return nil, err
		}
	}

	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", filepath.Join(dir, "data"),
		"-U", "linli", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
	initdb.Dir, initdb.SysProcAttr = dir, sys
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "data", "pg_hba.conf"), []byte(hba), 0o600); err != nil {
		return nil, err
	}

	logfile, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer logfile.Close()
	supervisor := exec.Command("/bin/sh", "-c", supervise, "sh", bin, dir, durability)
	supervisor.Dir, supervisor.SysProcAttr, supervisor.Stderr = dir, sys, logfile
	lifeline, err := supervisor.StdinPipe()
	if err != nil {
		return nil, err
	}
	done, err := supervisor.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := supervisor.Start(); err != nil {
		return nil, err
	}
	return &server{dir, lifeline, bufio.NewReader(done), supervisor}, awaitPostgres(dir)
}

func awaitPostgres(dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		conn, err := pgx.Connect(ctx, dsn(dir, "postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			out, _ := os.ReadFile(filepath.Join(dir, "log"))
			return fmt.Errorf("PostgreSQL did not start: %w\n%s", err, out)
		}
	}
}

// postgresPrograms returns the directory of initdb and postgres. Debian keeps
// them out of PATH, in a directory per version.
func postgresPrograms() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		path, err := exec.LookPath("initdb")
		if err != nil {
			return "", errNoPostgres
		}
		return filepath.Dir(path), nil
	}
	version := func(path string) int {
		v, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		return v
	}
	newest := slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(newest), nil
}

func unprivileged() (*syscall.Credential, error) {
	u, err := user.Lookup("postgres")
	if err != nil {
		if u, err = user.Lookup("nobody"); err != nil {
			return nil, fmt.Errorf("no unprivileged user to run PostgreSQL as: %w", err)
		}
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}
