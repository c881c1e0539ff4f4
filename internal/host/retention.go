package host

import (
	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/identity"
)

// Retention says how long the host itself keeps what.
var Retention = []database.Retention{
	{Table: "sessions", Kept: database.KeptFor, For: identity.ResidentSession},
	{Table: "sessions", Rows: "of staff", Kept: database.KeptFor, For: identity.StaffSession},
}
