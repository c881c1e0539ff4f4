package host

import (
	"fmt"
	"io/fs"

	"github.com/linli-io/linli/internal/audit"
	"github.com/linli-io/linli/internal/notify"
)

// libraries are those that keep tables in the database of every service.
func libraries() (map[string]fs.FS, error) {
	all := map[string]fs.FS{}
	for name, migrations := range map[string]func() (fs.FS, error){
		audit.Name:  audit.Migrations,
		notify.Name: notify.Migrations,
	} {
		files, err := migrations()
		if err != nil {
			return nil, fmt.Errorf("tables of %s: %w", name, err)
		}
		all[name] = files
	}
	return all, nil
}
