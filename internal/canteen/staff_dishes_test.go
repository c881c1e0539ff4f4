package canteen

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
)

func dishOf(changes ...string) url.Values {
	form := url.Values{
		"name": {"清蒸鲈鱼"}, "englishName": {"Steamed sea bass"}, "kind": {"Meat"}, "price": {"28.8"}, "description": {"少油。\r\n少盐。"},
		"allergens": {"Fish", "Soya"}, "tags": {"Soft"}, "energy": {"620"}, "protein": {"21.5"}, "fat": {"6"}, "carbohydrate": {""}, "sodium": {"430"}, "version": {"0"},
	}
	for i := 0; i+1 < len(changes); i += 2 {
		form.Set(changes[i], changes[i+1])
	}
	return form
}

// kept is the dish at an address.
func (s *site) kept(address string) Dish {
	s.t.Helper()
	path, _, _ := strings.Cut(address, "?")
	return must[Dish](s.t)((&Store{db: s.db}).Dish(s.t.Context(), idOf(strings.TrimPrefix(path, staffDishesPath))))
}

func TestDishForm(t *testing.T) {
	s := startSite(t)
	v := s.visitor(cook)
	v.page("/canteen/staff/dishes/", "荤菜 红烧肉", "¥18.00", "含大豆", "主食 米饭")
	v.page("/canteen/staff/dishes/new", "添加菜品", "蛋白质（克）")
	to := v.sent("/canteen/staff/dishes/new", dishOf())
	page := v.page(to, "菜品已保存", "清蒸鲈鱼")
	d := s.kept(to)
	if d.Name != "清蒸鲈鱼" || d.EnglishName != "Steamed sea bass" || d.Price != 2880 || d.Description != "少油。\n少盐。" ||
		!slices.Equal(d.Allergens, []Allergen{"Fish", "Soya"}) || !slices.Equal(d.Tags, []Tag{"Soft"}) ||
		d.Nutrition != (Nutrition{Energy: 620, Protein: 215, Fat: 60, Sodium: 430}) {
		t.Errorf("%+v", d)
	}
	for _, value := range []string{`value="28.80"`, `value="21.5"`, `value="6.0"`, `value="620"`} {
		if !strings.Contains(page, value) {
			t.Errorf("the form has no %s", value)
		}
	}
	for text, form := range map[string]url.Values{
		"名称要填写":      dishOf("name", " "),
		"名称最多":       dishOf("englishName", strings.Repeat("e", 81)),
		"最多两位小数":     dishOf("price", "1.234"),
		"单价请填 0 到 1": dishOf("price", "1000.01"),
		"请选择类别":      dishOf("kind", "Dessert"),
		"请从列表中选择过敏原": dishOf("allergens", "Dust"),
		"请从列表中选择特点":  dishOf("tags", "Nice"),
		"请填整数":       dishOf("energy", "620.5"),
		"最多一位小数":     dishOf("protein", "21.55"),
		"说明最多 200":   dishOf("description", strings.Repeat("好", 201)),
	} {
		status, _, page := v.open("/canteen/staff/dishes/new", form)
		if status != http.StatusUnprocessableEntity || !strings.Contains(page, `value="430"`) {
			t.Errorf("%s: status %d", text, status)
		}
		v.has(page, text)
	}
	// A dish that was changed meanwhile.
	path, _, _ := strings.Cut(to, "?")
	v.sent(path, dishOf("version", "1", "price", "30"))
	status, _, page := v.open(path, dishOf("version", "1", "price", "31"))
	if status != http.StatusConflict || !strings.Contains(page, `name="version" value="2"`) || !strings.Contains(page, `value="31"`) {
		t.Errorf("changed meanwhile: status %d", status)
	}
	v.has(page, "别人刚刚修改了这道菜")
	if d := s.kept(to); d.Price != 3000 {
		t.Errorf("%+v", d)
	}

	v.page(v.sent(path+"/retire", url.Values{}), "已下架", "恢复上架")
	v.page("/canteen/staff/dishes/", "已下架的菜品（1）")
	v.hasNot(v.page(planTuesday), "清蒸鲈鱼")
	v.page(v.sent(path+"/restore", url.Values{}), "已恢复上架")
	v.page(planTuesday, "清蒸鲈鱼")
}

// upload sends a file as the photo of a dish.
func (v visitor) upload(dish string, content []byte) (status int, location, page string) {
	v.t.Helper()
	return v.uploadTo(staffPhotosPath+"?dish="+dish, content)
}

// uploadTo sends a file as a photo to where a form does.
func (v visitor) uploadTo(path string, content []byte) (status int, location, page string) {
	v.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	if content != nil {
		part := must[io.Writer](v.t)(form.CreateFormFile("photo", "photo.jpg"))
		must[int](v.t)(part.Write(content))
	}
	if err := form.Close(); err != nil {
		v.t.Fatal(err)
	}
	return v.send(http.MethodPost, path, form.FormDataContentType(), body.String())
}

// scene is a picture, red where it begins and blue where it ends.
func scene(w, h int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.Set(x, y, color.White)
			if x < w/2 && y < h/2 {
				m.Set(x, y, color.RGBA{255, 0, 0, 255})
			} else if x >= w/2 && y >= h/2 {
				m.Set(x, y, color.RGBA{0, 0, 255, 255})
			}
		}
	}
	return m
}

func asJPEG(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// shot is a JPEG as a phone makes it that is held in some way: with Exif, which
// says how it is to be turned, and where it was taken.
func shot(t testing.TB, m image.Image, order binary.AppendByteOrder, orientation uint16) []byte {
	t.Helper()
	tiff := []byte("MM\x00\x2a")
	if order == binary.LittleEndian {
		tiff = []byte("II\x2a\x00")
	}
	tiff = order.AppendUint32(tiff, 8)
	tiff = order.AppendUint16(tiff, 2)
	for _, entry := range [][2]uint16{{0x0110, 7}, {0x0112, orientation}} {
		tiff = order.AppendUint16(tiff, entry[0])
		tiff = order.AppendUint16(tiff, 3) // a short
		tiff = order.AppendUint32(tiff, 1)
		tiff = order.AppendUint16(tiff, entry[1])
		tiff = order.AppendUint16(tiff, 0)
	}
	tiff = append(order.AppendUint32(tiff, 0), "GPS 35.01,116.65"...)
	plain := asJPEG(t, m)
	exif := append([]byte("Exif\x00\x00"), tiff...)
	head := binary.BigEndian.AppendUint16([]byte{0xff, 0xd8, 0xff, 0xe1}, uint16(len(exif)+2))
	return append(append(head, exif...), plain[2:]...)
}

func TestPhoto(t *testing.T) {
	s := startSite(t)
	v := s.visitor(cook)
	status, to, page := v.upload(s.pork, shot(t, scene(3000, 2000), binary.BigEndian, 6))
	if status != http.StatusSeeOther {
		t.Fatalf("status %d:\n%s", status, said(page))
	}
	first := s.kept(to).Photo
	if !strings.Contains(v.page(to, "照片已上传"), `src="/canteen/photos/`+first.String()+`"`) {
		t.Error("the page does not show the photo")
	}
	// Everybody may see it, and keep it.
	r := must[*http.Response](t)(s.Client(t).Get(s.URL + photoURL(first)))
	defer r.Body.Close()
	content := must[[]byte](t)(io.ReadAll(r.Body))
	if r.StatusCode != http.StatusOK || r.Header.Get("Content-Type") != "image/jpeg" || !strings.Contains(r.Header.Get("Cache-Control"), "immutable") {
		t.Errorf("%s: %v", r.Status, r.Header)
	}
	if bytes.Contains(content, []byte("GPS")) || bytes.Contains(content, []byte("Exif")) {
		t.Error("the photo says where it was taken")
	}
	if config, _, err := image.DecodeConfig(bytes.NewReader(content)); err != nil || config.Height != photoSide || config.Width >= photoSide {
		t.Errorf("%+v, %v", config, err)
	}
	// Another one takes its place.
	if status, _, _ := v.upload(s.pork, asJPEG(t, scene(20, 10))); status != http.StatusSeeOther {
		t.Errorf("status %d", status)
	}
	if status, _, _ := v.open(photoURL(first), nil); status != http.StatusNotFound {
		t.Errorf("the former photo: status %d", status)
	}
	v.page(v.sent(staffDishesPath+s.pork+"/remove-photo", url.Values{}), "照片已删除")
	if d := s.kept(staffDishesPath + s.pork); d.Photo != uuid.Nil {
		t.Errorf("%+v", d)
	}
	if n := must[int64](t)(s.db.Reader().NewSelect().Model((*Photo)(nil)).Count(t.Context())); n != 0 {
		t.Errorf("%d photos are left", n)
	}

	var animated bytes.Buffer
	if err := gif.Encode(&animated, scene(10, 10), nil); err != nil {
		t.Fatal(err)
	}
	for text, content := range map[string][]byte{
		"请先选择照片":                  nil,
		"不能超过 2 MB":               bytes.Repeat([]byte("x"), maxPhotoBytes+1),
		"这不是 JPEG、PNG 或 WebP 照片":  animated.Bytes(),
		"这不是 JPEG、PNG 或 WebP 照片 ": asJPEG(t, scene(100, 100))[:300],
	} {
		status, _, page := v.upload(s.pork, content)
		if status != http.StatusUnprocessableEntity {
			t.Errorf("%s: status %d", text, status)
		}
		v.has(page, strings.TrimSpace(text))
	}
	// Far more than any form has: the connection may end before there is an answer.
	if status, _, page := v.upload(s.pork, bytes.Repeat([]byte("x"), maxPhotoBytes+2*formOverhead)); status != http.StatusUnprocessableEntity {
		t.Errorf("status %d:\n%s", status, said(page))
	}
}

// TestUpright: however the phone was held, what was above is above.
func TestUpright(t *testing.T) {
	stored := scene(40, 20) // red above on the left, blue beneath on the right
	red := func(m image.Image, x, y int) bool { r, g, _, _ := m.At(x, y).RGBA(); return r > 40000 && g < 20000 }
	for orientation, corner := range map[uint16][2]string{
		0: {"left", "above"}, 1: {"left", "above"}, 2: {"right", "above"}, 3: {"right", "beneath"}, 4: {"left", "beneath"},
		5: {"left", "above"}, 6: {"right", "above"}, 7: {"right", "beneath"}, 8: {"left", "beneath"}, 9: {"left", "above"},
	} {
		for _, order := range []binary.AppendByteOrder{binary.BigEndian, binary.LittleEndian} {
			m, err := jpeg.Decode(bytes.NewReader(must[[]byte](t)(picture(shot(t, stored, order, orientation)))))
			if err != nil {
				t.Fatal(err)
			}
			w, h := m.Bounds().Dx(), m.Bounds().Dy()
			if turned := orientation >= 5 && orientation <= 8; turned != (h > w) {
				t.Errorf("%d: %d by %d", orientation, w, h)
			}
			x, y := w/4, h/4
			if corner[0] == "right" {
				x = 3 * w / 4
			}
			if corner[1] == "beneath" {
				y = 3 * h / 4
			}
			if !red(m, x, y) {
				t.Errorf("%d: red is not %v", orientation, corner)
			}
		}
	}
}

// TestPictureOfManyPixels: a small file that is a huge picture is refused
// before it takes any memory.
func TestPictureOfManyPixels(t *testing.T) {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 4001, 4001))); err != nil {
		t.Fatal(err)
	}
	if _, err := picture(b.Bytes()); !errors.Is(err, errTooLarge) {
		t.Errorf("%v", err)
	}
}

// FuzzPicture: no file brings the service down.
func FuzzPicture(f *testing.F) {
	f.Add(asJPEG(f, scene(8, 8)))
	f.Add(shot(f, scene(8, 8), binary.LittleEndian, 8))
	f.Fuzz(func(_ *testing.T, content []byte) {
		_ = orientation(content)
		_ = exifOrientation(content)
	})
}
