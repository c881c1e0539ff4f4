package county

// pursePages are those of a resident's purse. The sample takes no payments
// online: there these pages say that there is nothing.
func pursePages() []page {
	return []page{
		{name: "purse", path: "/accounts/"},
		{name: "purse-statement", path: "/accounts/statement"},
		{name: "purse-top-up", path: "/accounts/top-up"},
		{name: "purse-payment", path: "/accounts/payments/00000000-0000-7000-8000-000000000000"},
	}
}

// counterPages are those of the front desk about purses, and the ledger.
func (f furnished) counterPages() []page {
	const staff = "/accounts/staff/"
	purse := staff + "purses/" + f.person
	topUp := `//main//form[contains(@action, "/top-up")]//button`
	return []page{
		{name: "counter", path: staff + "?query=%E6%9D%8E"},
		{name: "counter-none", path: staff + "?query=%E6%97%A0%E6%AD%A4%E4%BA%BA"},
		{name: "counter-purse", path: purse},
		{name: "counter-mistake", path: purse, then: func(p *person) { p.clickAt(topUp) }},
		{name: "counter-receipt", path: purse, then: func(p *person) {
			p.fill("top-up", "20")
			p.clickAt(topUp)
		}},
		{name: "counter-purse-filled", path: purse},
		{name: "counter-day", path: staff + "day"},
		{name: "counter-ledger", path: staff + "ledger"},
		{name: "counter-payments", path: staff + "payments"},
	}
}
