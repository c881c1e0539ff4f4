package accounts

import "github.com/linli-io/linli/internal/database"

// retention says how long the service keeps what. Accounts stay, with the IDs
// of people and no names: vouchers and ledgers are kept for 30 years
// (会计档案管理办法, Art. 14), and later entries build upon earlier ones.
var retention = []database.Retention{
	{Table: "purses", Kept: database.KeptAlways},
	{Table: "transactions", Kept: database.KeptAlways},
	{Table: "postings", Kept: database.KeptAlways},
	{Table: "holds", Rows: "taken", Kept: database.KeptAlways},
	{Table: "holds", Rows: "given-back", Kept: database.KeptFor, For: holdRetention},
	{Table: "payments", Kept: database.KeptFor, For: paymentRetention},
	{Table: "taken", Kept: database.KeptAlways},
	{Table: "accounts", Kept: database.NotPersonal},
	{Table: "receipts", Kept: database.NotPersonal},
	{Table: "refunds", Kept: database.NotPersonal},
}
