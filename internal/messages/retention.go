package messages

import "github.com/linli-io/linli/internal/database"

// kept says how long the service keeps what.
var kept = []database.Retention{
	{Table: "messages", Kept: database.KeptFor, For: retention},
	{Table: "received", Kept: database.KeptFor, For: retention},
	{Table: "preferences", Kept: database.KeptWithPerson},
}
