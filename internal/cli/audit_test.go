package cli

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/audit"
	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/database/databasetest"
)

const uid = "11111111-1111-1111-1111-111111111111"

// storage is a community's, as the host opens it.
type storage interface {
	Open(ctx context.Context, name string, o database.Options) (*database.DB, error)
	Close() error
}

// fill makes two databases with three entries in each, and changes one of them.
func fill(t *testing.T, s storage, change string) {
	t.Helper()
	files, err := audit.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	own := fstest.MapFS{}
	for _, engine := range []string{"sqlite", "postgres"} {
		own[engine+"/00001_own.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\nCREATE TABLE own (x TEXT NOT NULL);\n")}
	}
	for _, name := range []string{"canteen", "booking"} {
		db, err := s.Open(t.Context(), name, database.Options{Migrations: own, Libraries: map[string]fs.FS{audit.Name: files}})
		if err != nil {
			t.Fatal(err)
		}
		err = db.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
			for i := range 3 {
				e := audit.Entry{Action: "a", Actor: "b", Object: fmt.Sprint(i)}
				if err := audit.Append(ctx, tx, time.UnixMilli(1), e); err != nil {
					return err
				}
			}
			if change == "" || name == "canteen" {
				return nil
			}
			_, err := tx.ExecContext(ctx, change)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// directory and server are storage on either engine, and how to look at it.
func directory(t *testing.T) (storage, string) {
	t.Helper()
	dir := t.TempDir()
	d, err := database.OpenDirectory(dir, uid, "")
	if err != nil {
		t.Fatal(err)
	}
	return d, "--data=" + dir
}

func server(t *testing.T) (storage, string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "dsn"), []byte(databasetest.Postgres(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := database.OpenServer(t.Context(), dir, uid, "")
	if err != nil {
		t.Fatal(err)
	}
	return s, "--database=" + dir
}

func verify(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out strings.Builder
	cmd := root()
	cmd.SetArgs(append([]string{"audit", "verify"}, args...))
	cmd.SetOut(&out)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestAuditVerify(t *testing.T) {
	for engine, open := range map[string]func(*testing.T) (storage, string){"sqlite": directory, "postgres": server} {
		t.Run(engine, func(t *testing.T) {
			s, where := open(t)
			fill(t, s, "")
			out, err := verify(t, where)
			lines := strings.Split(strings.TrimSpace(out), "\n")
			if err != nil || len(lines) != 3 || !strings.HasPrefix(lines[1], "booking") || !strings.HasPrefix(lines[2], "canteen") {
				t.Fatalf("%v\n%s", err, out)
			}
			for _, line := range lines[1:] {
				if f := strings.Fields(line); f[1] != "3" || !strings.HasPrefix(f[2], "3:") || f[3] != "ok" {
					t.Errorf("a sound audit: %s", line)
				}
			}
			noted := filepath.Join(t.TempDir(), "heads")
			if err := os.WriteFile(noted, []byte(out), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := verify(t, where, "--since", noted); err != nil {
				t.Errorf("nothing has changed: %v\n%s", err, out)
			}
			other, whereOther := open(t)
			fill(t, other, "DELETE FROM audit WHERE seq = 2")
			out, err = verify(t, whereOther)
			if err == nil || !strings.Contains(err.Error(), "database booking is broken at entry 2") {
				t.Errorf("an entry is gone: %v", err)
			}
			if !strings.Contains(out, "BROKEN at entry 2") || strings.Count(out, " ok") != 1 {
				t.Errorf("an entry is gone:\n%s", out)
			}
		})
	}
}

func TestAuditVerifySince(t *testing.T) {
	s, where := directory(t)
	fill(t, s, "DELETE FROM audit WHERE seq = 3; UPDATE audit_head SET seq = 2, hash = (SELECT hash FROM audit WHERE seq = 2)")
	if out, err := verify(t, where); err != nil {
		t.Fatalf("nothing in the database shows it: %v\n%s", err, out)
	}
	whole, whereWhole := directory(t)
	fill(t, whole, "")
	out, err := verify(t, whereWhole)
	if err != nil {
		t.Fatal(err)
	}
	noted := filepath.Join(t.TempDir(), "heads")
	for name, c := range map[string]struct{ heads, problem string }{
		"as noted":         {out, "booking is broken at entry 3: the end of the record is missing"},
		"one more":         {out + "residents  1  1:ab  ok\n", "residents is gone"},
		"another file":     {"A B C\nhello\n", "line 2"},
		"not quite a head": {"A B C\nbooking 1 ab ok\n", "no head"},
	} {
		if err := os.WriteFile(noted, []byte(c.heads), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := verify(t, where, "--since", noted); err == nil || !strings.Contains(err.Error(), c.problem) {
			t.Errorf("%s: %v, want %q", name, err, c.problem)
		}
	}
}
