package idp

import "github.com/linli-io/linli/internal/database"

// Retention says how long the provider keeps what.
var Retention = []database.Retention{
	{Table: "accounts", Kept: database.KeptFor, For: dormant + keepClosed},
	{Table: "accounts", Rows: "closed", Kept: database.KeptFor, For: keepClosed},
	{Table: "attempts", Kept: database.KeptFor, For: keepAttempts},
	{Table: "sends", Kept: database.KeptFor, For: keepAttempts},
	{Table: "assertions", Kept: database.NotPersonal},
	{Table: "secrets", Kept: database.NotPersonal},
	{Table: "signing_keys", Kept: database.NotPersonal},
}
