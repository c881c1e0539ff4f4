package canteen

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/audit"
	"github.com/linli-io/linli/internal/civil"
)

type supplierRow struct {
	bun.BaseModel `bun:"table:suppliers"`

	ID        uuid.UUID `bun:",pk"`
	Name      string
	Contact   string
	Phone     string
	Licence   string
	RetiredAt *int64
	Version   int
}

func (r supplierRow) supplier() Supplier {
	return Supplier{ID: r.ID, Name: r.Name, Contact: r.Contact, Phone: r.Phone, Licence: r.Licence, Retired: r.RetiredAt != nil, Version: r.Version}
}

type batchRow struct {
	bun.BaseModel `bun:"table:batches"`

	ID         uuid.UUID `bun:",pk"`
	Ingredient string
	Supplier   uuid.UUID
	Lot        string
	Quantity   string
	BoughtOn   string
	ExpiresOn  *string
	Note       string
	AcceptedBy string
	AcceptedAt int64
	EndedAs    BatchEnd
	EndedAt    *int64
	EndedBy    string
	Reason     string
	Version    int
	// Photo is the ID of its picture, which is kept in a table of its own.
	Photo *uuid.UUID `bun:",scanonly"`
}

func (r batchRow) batch() (b Batch, err error) {
	b = Batch{
		ID: r.ID, Ingredient: r.Ingredient, Supplier: r.Supplier, Lot: r.Lot, Quantity: r.Quantity, Note: r.Note,
		AcceptedBy: r.AcceptedBy, AcceptedAt: time.Unix(r.AcceptedAt, 0), End: r.EndedAs, EndedAt: timeOf(r.EndedAt), EndedBy: r.EndedBy,
		Reason: r.Reason, Version: r.Version,
	}
	if r.Photo != nil {
		b.Photo = *r.Photo
	}
	if b.BoughtOn, err = civil.ParseDate(r.BoughtOn); err == nil && r.ExpiresOn != nil {
		b.ExpiresOn, err = civil.ParseDate(*r.ExpiresOn)
	}
	if err != nil {
		return b, fmt.Errorf("batch %s in the database: %w", r.ID, err)
	}
	return b, nil
}

func batchRowOf(b Batch) batchRow {
	r := batchRow{
		ID: b.ID, Ingredient: b.Ingredient, Supplier: b.Supplier, Lot: b.Lot, Quantity: b.Quantity, BoughtOn: b.BoughtOn.String(), Note: b.Note,
		AcceptedBy: b.AcceptedBy, AcceptedAt: b.AcceptedAt.Unix(), EndedAs: b.End, EndedAt: unix(b.EndedAt), EndedBy: b.EndedBy,
		Reason: b.Reason, Version: b.Version,
	}
	if (b.ExpiresOn != civil.Date{}) {
		text := b.ExpiresOn.String()
		r.ExpiresOn = &text
	}
	return r
}

// Suppliers are all suppliers by name.
func (s *Store) Suppliers(ctx context.Context) ([]Supplier, error) {
	var rows []supplierRow
	if err := s.db.Reader().NewSelect().Model(&rows).Order("name", "id").Scan(ctx); err != nil {
		return nil, fmt.Errorf("listing suppliers: %w", err)
	}
	suppliers := make([]Supplier, len(rows))
	for i, row := range rows {
		suppliers[i] = row.supplier()
	}
	return suppliers, nil
}

// Supplier is the supplier with an ID, or ErrNotFound.
func (s *Store) Supplier(ctx context.Context, id uuid.UUID) (Supplier, error) {
	return supplierIn(ctx, s.db.Reader(), id)
}

func supplierIn(ctx context.Context, db bun.IDB, id uuid.UUID) (Supplier, error) {
	var row supplierRow
	err := db.NewSelect().Model(&row).Where("id = ?", id).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return Supplier{}, ErrNotFound
	}
	if err != nil {
		return Supplier{}, fmt.Errorf("reading supplier %s: %w", id, err)
	}
	return row.supplier(), nil
}

// PutSupplier keeps a supplier. Version is the one that was seen; 0 makes a new
// one. It returns ErrStale if it was changed meanwhile, ErrNotFound if there is
// no such supplier. It must have passed CheckSupplier.
func (s *Store) PutSupplier(ctx context.Context, by By, p Supplier) (Supplier, error) {
	err := s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		row := supplierRow{ID: p.ID, Name: p.Name, Contact: p.Contact, Phone: p.Phone, Licence: p.Licence, Version: p.Version + 1}
		action := Name + ".supplier-change"
		if p.Version == 0 {
			action = Name + ".supplier-new"
			if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
				return fmt.Errorf("keeping a supplier: %w", err)
			}
		} else {
			result, err := tx.NewUpdate().Model(&row).ExcludeColumn("retired_at").WherePK().Where("version = ?", p.Version).Exec(ctx)
			if err := changedOne(result, err); err != nil {
				_, unknown := supplierIn(ctx, tx, p.ID)
				return errors.Join(unknown, err)
			}
		}
		return audit.Append(ctx, tx, by.Now, audit.Entry{Action: action, Actor: by.Actor, Object: p.ID.String()})
	})
	if errors.Is(err, ErrNotFound) {
		return p, ErrNotFound
	}
	p.Version++
	return p, err
}

// changedOne is ErrStale if an update of one row changed none.
func changedOne(result sql.Result, err error) error {
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 1 {
		return err
	}
	return ErrStale
}

// RetireSupplier says that nothing more is bought from a supplier, or that it is
// again. What was bought stays.
func (s *Store) RetireSupplier(ctx context.Context, by By, id uuid.UUID, retired bool) error {
	return s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		var at *int64
		action := Name + ".supplier-back"
		if retired {
			at, action = unix(by.Now), Name+".supplier-retire"
		}
		result, err := tx.NewUpdate().Model((*supplierRow)(nil)).Set("retired_at = ?", at).Set("version = version + 1").Where("id = ?", id).Exec(ctx)
		if err := changedOne(result, err); errors.Is(err, ErrStale) {
			return ErrNotFound
		} else if err != nil {
			return fmt.Errorf("retiring a supplier: %w", err)
		}
		return audit.Append(ctx, tx, by.Now, audit.Entry{Action: action, Actor: by.Actor, Object: id.String()})
	})
}

// BatchQuery says which batches are meant. Zero fields do not matter.
type BatchQuery struct {
	// Open are those that are neither used up nor discarded.
	Open bool
	IDs  []uuid.UUID
	// Supplier is whose they are.
	Supplier uuid.UUID
	// Text is a part of the ingredient, the lot or the supplier's name.
	Text string
	// Limit is how many there are at most, the last bought ones first.
	Limit int
}

// Batches are batches: open ones before others, what expires first at the top.
func (s *Store) Batches(ctx context.Context, q BatchQuery) ([]Batch, error) {
	return batchesIn(ctx, s.db.Reader(), q)
}

func batchesIn(ctx context.Context, db bun.IDB, q BatchQuery) ([]Batch, error) {
	if q.IDs != nil && len(q.IDs) == 0 {
		return nil, nil
	}
	var rows []batchRow
	query := db.NewSelect().Model(&rows).ColumnExpr("batch_row.*").
		ColumnExpr("(SELECT p.id FROM batch_photos AS p WHERE p.batch = batch_row.id) AS photo").Order("bought_on DESC", "batch_row.id DESC")
	if q.Open {
		query.Where("ended_at IS NULL")
	}
	if q.IDs != nil {
		query.Where("batch_row.id IN (?)", bun.List(q.IDs))
	}
	if q.Supplier != uuid.Nil {
		query.Where("supplier = ?", q.Supplier)
	}
	if q.Text != "" {
		like := "%" + escapeLike(strings.ToLower(q.Text)) + "%"
		query.Where(`(LOWER(ingredient) LIKE ? ESCAPE '!' OR LOWER(lot) LIKE ? ESCAPE '!' OR supplier IN (SELECT id FROM suppliers WHERE LOWER(name) LIKE ? ESCAPE '!'))`, like, like, like)
	}
	if q.Limit > 0 {
		query.Limit(int64(q.Limit))
	}
	if err := query.Scan(ctx); err != nil {
		return nil, fmt.Errorf("listing batches: %w", err)
	}
	batches := make([]Batch, len(rows))
	for i, row := range rows {
		var err error
		if batches[i], err = row.batch(); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(batches, byExpiry)
	return batches, nil
}

// escapeLike is a text as a part of a pattern of LIKE, whose escape is "!".
func escapeLike(text string) string {
	return strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(text)
}

// byExpiry has open batches before others, and of these what expires first
// before what keeps longer or has no shelf life.
func byExpiry(a, b Batch) int {
	rank := func(b Batch) string {
		switch {
		case b.End != BatchOpen:
			return "3"
		case b.ExpiresOn == civil.Date{}:
			return "2"
		}
		return "1" + b.ExpiresOn.String()
	}
	return strings.Compare(rank(a), rank(b))
}

// Batch is the batch with an ID, or ErrNotFound.
func (s *Store) Batch(ctx context.Context, id uuid.UUID) (Batch, error) {
	return batchIn(ctx, s.db.Reader(), id)
}

func batchIn(ctx context.Context, db bun.IDB, id uuid.UUID) (Batch, error) {
	batches, err := batchesIn(ctx, db, BatchQuery{IDs: []uuid.UUID{id}})
	if err == nil && len(batches) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Batch{}, err
	}
	return batches[0], nil
}

// PutBatch keeps what is written about a batch; what became of it is kept by
// EndBatch. Version is the one that was seen; 0 makes a new one. It returns
// ErrStale if it was changed meanwhile, ErrNotFound if there is no such batch,
// and a Refusal if nothing more is bought from the supplier. The batch must have
// passed CheckBatch.
func (s *Store) PutBatch(ctx context.Context, by By, b Batch) (Batch, error) {
	err := s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		supplier, err := supplierIn(ctx, tx, b.Supplier)
		if err != nil || supplier.Retired && b.Version == 0 {
			return cmpErr(err, refuseField(RuleSupplier, "supplier", 0, "nothing more is bought from this supplier: choose another, or take the supplier back"))
		}
		entry := audit.Entry{Action: Name + ".batch-new", Actor: by.Actor, Object: b.ID.String()}
		row := batchRowOf(b)
		row.Version = b.Version + 1
		if b.Version == 0 {
			row.AcceptedBy, row.AcceptedAt = by.Actor, by.Now.Unix()
			_, err = tx.NewInsert().Model(&row).Exec(ctx)
		} else {
			var before Batch
			if before, err = batchIn(ctx, tx, b.ID); err != nil {
				return err
			}
			entry.Action, entry.Detail = Name+".batch-change", changesOf(before, b)
			var result sql.Result
			result, err = tx.NewUpdate().Model(&row).Column("ingredient", "supplier", "lot", "quantity", "bought_on", "expires_on", "note", "version").
				WherePK().Where("version = ?", b.Version).Exec(ctx)
			err = changedOne(result, err)
		}
		if err != nil {
			return fmt.Errorf("keeping a batch: %w", err)
		}
		if err := audit.Append(ctx, tx, by.Now, entry); err != nil {
			return err
		}
		b, err = batchIn(ctx, tx, b.ID)
		return err
	})
	return b, err
}

// cmpErr is the first of two errors, or the second if there is no first.
func cmpErr(first error, second *Refusal) error {
	if first != nil {
		return first
	}
	return second
}

// changesOf names the fields that differ, and of the dates what they were and
// are: that a batch keeps longer than its label says must be seen.
func changesOf(before, after Batch) map[string]string {
	detail := map[string]string{}
	var fields []string
	for _, f := range []struct {
		name      string
		old, new  string
		withValue bool
	}{
		{"ingredient", before.Ingredient, after.Ingredient, false}, {"supplier", before.Supplier.String(), after.Supplier.String(), false},
		{"lot", before.Lot, after.Lot, false}, {"quantity", before.Quantity, after.Quantity, false}, {"note", before.Note, after.Note, false},
		{"boughtOn", before.BoughtOn.String(), after.BoughtOn.String(), true}, {"expiresOn", expiryText(before), expiryText(after), true},
	} {
		if f.old == f.new {
			continue
		}
		fields = append(fields, f.name)
		if f.withValue {
			detail[f.name] = f.old + " → " + f.new
		}
	}
	detail["fields"] = strings.Join(fields, " ")
	return detail
}

// expiryText is the last day of a batch; "none" if it has no shelf life.
func expiryText(b Batch) string {
	if (b.ExpiresOn == civil.Date{}) {
		return "none"
	}
	return b.ExpiresOn.String()
}

// EndBatch says what became of a batch, or, with BatchOpen, that it is still
// there. Discarding wants a reason. It returns ErrStale if it has ended already.
func (s *Store) EndBatch(ctx context.Context, by By, id uuid.UUID, end BatchEnd, reason string) error {
	if end == BatchDiscarded && strings.TrimSpace(reason) == "" || utf8.RuneCountInString(reason) > maxSafetyNote {
		return refuseField(RuleReason, "reason", maxSafetyNote, "say why it is discarded, in at most %d characters", maxSafetyNote)
	}
	return s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		b, err := batchIn(ctx, tx, id)
		if err != nil {
			return err
		}
		if (b.End == BatchOpen) == (end == BatchOpen) {
			return ErrStale
		}
		before := b.End
		b.End, b.EndedAt, b.EndedBy, b.Reason = end, by.Now, by.Actor, strings.TrimSpace(reason)
		if end == BatchOpen {
			b.EndedAt, b.EndedBy, b.Reason = time.Time{}, "", ""
		}
		row := batchRowOf(b)
		row.Version++
		if _, err := tx.NewUpdate().Model(&row).Column("ended_as", "ended_at", "ended_by", "reason", "version").WherePK().Exec(ctx); err != nil {
			return fmt.Errorf("ending a batch: %w", err)
		}
		return audit.Append(ctx, tx, by.Now, audit.Entry{
			Action: Name + ".batch-end", Actor: by.Actor, Object: id.String(), Detail: map[string]string{"before": string(before), "after": string(end)},
		})
	})
}

// batchPhoto is a picture of a delivery note or a label.
type batchPhoto struct {
	bun.BaseModel `bun:"table:batch_photos"`

	Batch     uuid.UUID `bun:",pk"`
	ID        uuid.UUID
	MediaType string
	Content   []byte
	CreatedAt int64
}

// BatchPhoto is the picture of a batch, or ErrNotFound.
func (s *Store) BatchPhoto(ctx context.Context, batch uuid.UUID) (Photo, error) {
	var p batchPhoto
	err := s.db.Reader().NewSelect().Model(&p).Where("batch = ?", batch).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return Photo{}, ErrNotFound
	}
	if err != nil {
		return Photo{}, fmt.Errorf("reading the photo of batch %s: %w", batch, err)
	}
	return Photo{ID: p.ID, MediaType: p.MediaType, Content: p.Content, CreatedAt: p.CreatedAt}, nil
}

// PutBatchPhoto gives a batch a picture, a JPEG. The one that it had is gone.
func (s *Store) PutBatchPhoto(ctx context.Context, by By, batch uuid.UUID, content []byte) error {
	id, err := newID()
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		if _, err := batchIn(ctx, tx, batch); err != nil {
			return err
		}
		_, err := tx.NewInsert().Model(&batchPhoto{Batch: batch, ID: id, MediaType: "image/jpeg", Content: content, CreatedAt: by.Now.Unix()}).
			On("CONFLICT (batch) DO UPDATE").Set("id = EXCLUDED.id, content = EXCLUDED.content, created_at = EXCLUDED.created_at").Exec(ctx)
		if err != nil {
			return fmt.Errorf("keeping the photo of a batch: %w", err)
		}
		return audit.Append(ctx, tx, by.Now, audit.Entry{
			Action: Name + ".batch-change", Actor: by.Actor, Object: batch.String(), Detail: map[string]string{"fields": "photo"},
		})
	})
}
