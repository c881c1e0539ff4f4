package residents

import (
	"time"

	"github.com/linli-io/linli/internal/database"
)

// kept says how long the service keeps what.
var kept = []database.Retention{
	{Table: "people", Kept: database.KeptWithPerson},
	{Table: "people", Rows: "who have moved away", Kept: database.KeptFor, For: awayRetention},
	{Table: "duties", Kept: database.KeptWithPerson},
	{Table: "codes", Kept: database.KeptFor, For: codeLifetime},
	{Table: "tries", Kept: database.KeptFor, For: 24 * time.Hour},
	{Table: "requests", Kept: database.KeptFor, For: requestRetention},
	{Table: "requests", Rows: "without an answer", Kept: database.KeptFor, For: unansweredRetention},
	{Table: "documents", Kept: database.KeptFor, For: paperRetention},
	{Table: "acting", Kept: database.KeptWithPerson},
	{Table: "acting", Rows: "that has ended", Kept: database.KeptFor, For: paperRetention},
	{Table: "consents", Kept: database.KeptWithPerson},
	{Table: "consents", Rows: "withdrawn", Kept: database.KeptFor, For: paperRetention},
	{Table: "drafts", Kept: database.KeptFor, For: draftLifetime},
}
