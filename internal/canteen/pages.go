package canteen

import "github.com/google/uuid"

// ordersPath is where a resident's orders are.
const ordersPath = "/" + Name + "/orders"

func orderURL(id uuid.UUID) string { return ordersPath + "/" + id.String() }
