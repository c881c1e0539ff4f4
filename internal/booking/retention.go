package booking

import (
	"time"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/database"
)

// kept says how long the service keeps what, after the end of what it is about.
var kept = []database.Retention{
	{Table: "bookings", Kept: database.KeptFor, For: Retention(v1alpha1.VenueRoom)},
	{Table: "bookings", Rows: "with an attendant", Kept: database.KeptFor, For: Retention(v1alpha1.VenueAttended)},
	{Table: "waiting", Kept: database.KeptFor, For: waitingRetention},
	{Table: "closures", Kept: database.KeptFor, For: closureRetention},
	{Table: "affected", Kept: database.KeptFor, For: closureRetention},
	{Table: "quotas", Kept: database.KeptFor, For: lockRetention},
	{Table: "idempotency", Kept: database.KeptFor, For: keyRetention},
	{Table: "wrong_codes", Kept: database.KeptFor, For: time.Hour},
	{Table: "members", Kept: database.KeptWithPerson},
	{Table: "feeds", Kept: database.KeptWithPerson},
	{Table: "venues", Kept: database.NotPersonal},
	{Table: "cells", Kept: database.NotPersonal},
	{Table: "past_use", Kept: database.NotPersonal},
	{Table: "counted", Kept: database.NotPersonal},
}
