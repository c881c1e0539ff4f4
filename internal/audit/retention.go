package audit

import "github.com/linli-io/linli/internal/database"

// Retention says how long the record is kept: as long as the database. Without
// its beginning the chain would prove nothing, records of what was done with
// people's data must be there for three years at least (PIPL, Art. 56), and
// entries have IDs only, which lead to nobody when the person is erased.
var Retention = []database.Retention{
	{Table: "audit", Kept: database.KeptAlways},
	{Table: "audit_head", Kept: database.NotPersonal},
}
