package canteen

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/audit"
)

// Photo is the picture of a dish. A photo never changes: another one has
// another ID.
type Photo struct {
	bun.BaseModel `bun:"table:photos"`

	ID        uuid.UUID `bun:",pk"`
	MediaType string
	Content   []byte
	// Small is the picture as lists show it.
	Small     []byte
	CreatedAt int64
}

// Photo is the photo with an ID, or ErrNotFound.
func (s *Store) Photo(ctx context.Context, id uuid.UUID) (Photo, error) {
	return s.photo(ctx, id, "content")
}

// SmallPhoto is the photo with an ID as lists show it, or ErrNotFound. One that
// was kept before there were small ones is shown as it is.
func (s *Store) SmallPhoto(ctx context.Context, id uuid.UUID) (Photo, error) {
	return s.photo(ctx, id, "COALESCE(small, content)")
}

func (s *Store) photo(ctx context.Context, id uuid.UUID, content string) (Photo, error) {
	var p Photo
	err := s.db.Reader().NewSelect().Model(&p).Column("id", "media_type").ColumnExpr(content+" AS content").Where("id = ?", id).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return p, ErrNotFound
	}
	if err != nil {
		return p, fmt.Errorf("reading photo %s: %w", id, err)
	}
	return p, nil
}

// PutPhoto gives a dish a photo, a JPEG and another for lists, or none, if there
// is no content. The one that it had is gone.
func (s *Store) PutPhoto(ctx context.Context, by By, dish uuid.UUID, content, small []byte) error {
	id, err := newID()
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		var before dishRow
		err := tx.NewSelect().Model(&before).Where("id = ?", dish).Scan(ctx)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return fmt.Errorf("reading dish %s: %w", dish, err)
		}
		var photo *uuid.UUID
		if len(content) > 0 {
			photo = &id
			_, err = tx.NewInsert().Model(&Photo{ID: id, MediaType: "image/jpeg", Content: content, Small: small, CreatedAt: by.Now.Unix()}).Exec(ctx)
		}
		if err == nil {
			_, err = tx.NewUpdate().Model((*dishRow)(nil)).Set("photo = ?", photo).Set("version = version + 1").Where("id = ?", dish).Exec(ctx)
		}
		if err == nil && before.Photo != nil {
			_, err = tx.NewDelete().Model((*Photo)(nil)).Where("id = ?", *before.Photo).Exec(ctx)
		}
		if err != nil {
			return fmt.Errorf("keeping a photo: %w", err)
		}
		return audit.Append(ctx, tx, by.Now, audit.Entry{
			Action: Name + ".dish-change", Actor: by.Actor, Object: dish.String(), Detail: map[string]string{"fields": "photo"},
		})
	})
}
