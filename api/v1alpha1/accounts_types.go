package v1alpha1

// Accounts is the accounts service's part of a Community: one purse (钱包) for
// each resident, from which other services are paid.
type Accounts struct{}
