package accounts

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/audit"
)

// maxOdd is how many payments are listed that a person has to look into.
const maxOdd = 200

// OddPayments are those that were not booked because they are not what was
// asked for, first those about which nothing was done, the latest first. That
// somebody looks is recorded before they are shown: for each person once a day
// for each who looks.
func (s *Store) OddPayments(ctx context.Context, a Act) ([]Payment, error) {
	var rows []paymentRow
	err := s.db.Reader().NewSelect().Model(&rows).Where("state = ?", PaymentOdd).
		OrderExpr("done_at IS NOT NULL, created_at DESC, id").Limit(maxOdd).Scan(ctx)
	if err != nil {
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

// Done notes what was done about an odd payment. To say it again is no error,
// and changes nothing; ErrNotFound means that there is no such payment, or that
// nothing is odd about it.
func (s *Store) Done(ctx context.Context, a Act, id uuid.UUID, note string) error {
	return s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		before, err := paymentIn(ctx, tx, id)
		if err != nil {
			return err
		}
		after, err := before.done(a, note)
		if err != nil || after.DoneAt.Equal(before.DoneAt) {
			return err
		}
		row := after.row()
		if _, err := tx.NewUpdate().Model(&row).Column("done_at", "done_by", "note").WherePK().Exec(ctx); err != nil {
			return fmt.Errorf("noting what was done about payment %s: %w", id, err)
		}
		return a.note(ctx, tx, "payment-done", after.Person, id.String(), nil)
	})
}

// oddView are payments that a person has to look into.
type oddView struct {
	desk
	Payments []Payment
	// Names are those of whose purses they were for, and of who has done
	// something, by ID.
	Names map[string]string
	// Wrong is the payment whose note cannot be taken, as it was typed.
	Wrong uuid.UUID
	Note  typed
}

func (s *service) oddPage(w http.ResponseWriter, r *http.Request) {
	s.renderOdd(w, r, http.StatusOK, func(*oddView) {})
}

func (s *service) renderOdd(w http.ResponseWriter, r *http.Request, status int, with func(*oddView)) {
	ctx := r.Context()
	v := oddView{desk: s.desk(r, staffPaymentsPath), Names: map[string]string{"": ""}}
	var err error
	v.Payments, err = s.store.OddPayments(ctx, s.act(ctx))
	for _, p := range v.Payments {
		for _, person := range []string{p.Person, p.DoneBy} {
			if _, named := v.Names[person]; !named && err == nil {
				v.Names[person], err = s.nameOfActor(ctx, v.View, person)
			}
		}
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	with(&v)
	s.pages.Render(w, r, status, oddPage(v))
}

// doneFromPage notes what was done about an odd payment.
func (s *service) doneFromPage(w http.ResponseWriter, r *http.Request) {
	if !s.form(w, r) {
		return
	}
	id, err := parseID(r.PathValue("id"))
	if err == nil {
		err = s.store.Done(r.Context(), s.act(r.Context()), id, strings.TrimSpace(r.PostForm.Get("note")))
	}
	if refusal, ok := errors.AsType[*Refusal](err); ok && refusal.Rule == RuleReason {
		s.renderOdd(w, r, http.StatusUnprocessableEntity, func(v *oddView) {
			v.Wrong, v.Note = id, typed{r.PostForm.Get("note"), v.T("accounts.odd.noteWrong")}
		})
		return
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, withDone(staffPaymentsPath, "odd"), http.StatusSeeOther)
}

// parted are payments about which nothing was done yet, and the others.
func (v oddView) parted() (open, done []Payment) {
	i := slices.IndexFunc(v.Payments, func(p Payment) bool { return !p.DoneAt.IsZero() })
	if i < 0 {
		return v.Payments, nil
	}
	return v.Payments[:i], v.Payments[i:]
}

// typed is what was typed beside a payment.
func (v oddView) typed(p Payment) typed {
	if p.ID == v.Wrong {
		return v.Note
	}
	return typed{}
}
