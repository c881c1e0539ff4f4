package accounts

import (
	"context"
	"fmt"
	"net/http"

	"github.com/linli-io/linli/internal/audit"
)

// maxOdd is how many payments are listed that a person has to look into.
const maxOdd = 200

// OddPayments are those that were not booked because they are not what was
// asked for, the latest first. That somebody looks is recorded before they are
// shown: for each person once a day for each who looks.
func (s *Store) OddPayments(ctx context.Context, a Act) ([]Payment, error) {
	var rows []paymentRow
	if err := s.db.Reader().NewSelect().Model(&rows).Where("state = ?", PaymentOdd).Order("created_at DESC", "id").Limit(maxOdd).Scan(ctx); err != nil {
		return nil, fmt.Errorf("reading payments to look into: %w", err)
	}
	midnight, _ := a.Today().Bounds(a.Location)
	look := audit.Look{Actor: a.Actor, Action: Name + ".payments-view", Each: Name + ".payment-listed", Since: midnight}
	odd := make([]Payment, len(rows))
	for i, row := range rows {
		if odd[i] = row.payment(); odd[i].Person != "" {
			look.People = append(look.People, odd[i].Person)
		}
	}
	return odd, audit.NoteLook(ctx, s.db, a.Now, look)
}

// oddView are payments that a person has to look into.
type oddView struct {
	desk
	Payments []Payment
	// Names are those of whose purses they were for, by ID.
	Names map[string]string
}

func (s *service) oddPage(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	v := oddView{desk: s.desk(r, staffPaymentsPath), Names: map[string]string{}}
	var err error
	v.Payments, err = s.store.OddPayments(ctx, s.act(ctx))
	for _, p := range v.Payments {
		if v.Names[p.Person] == "" && err == nil {
			v.Names[p.Person], err = s.nameOfActor(ctx, v.View, p.Person)
		}
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, oddPage(v))
}
