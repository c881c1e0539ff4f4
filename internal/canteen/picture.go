package canteen

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	_ "image/png" // may be uploaded

	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp" // may be uploaded
)

// Limits of pictures.
const (
	// maxPhotoBytes is how large a file may be that is uploaded.
	maxPhotoBytes = 2 << 20
	// maxPixels keeps a small file from becoming a huge picture in memory.
	maxPixels = 16_000_000
	// photoSide is how long the longer side of a kept picture is at most, in
	// pixels, photoQuality its JPEG quality.
	photoSide    = 1280
	photoQuality = 80
	// smallSide is that of the square that lists show: 80 pixels of a page, on
	// screens with twice as many. smallQuality keeps it at some 6 KB.
	smallSide    = 192
	smallQuality = 70
)

// What a file may be refused for.
var (
	errNoPicture = errors.New("this is no JPEG, PNG or WebP picture")
	errTooLarge  = errors.New("the picture is too large")
)

// picture reads a picture that somebody has uploaded and writes it anew, upright
// and no larger than pages need: nothing is left of what a camera notes beside
// it, such as where it was taken.
func picture(content []byte) ([]byte, error) {
	config, format, err := image.DecodeConfig(bytes.NewReader(content))
	if err != nil || format != "jpeg" && format != "png" && format != "webp" {
		return nil, errNoPicture
	}
	if config.Width*config.Height > maxPixels {
		return nil, errTooLarge
	}
	full, _, err := image.Decode(bytes.NewReader(content))
	if err != nil {
		return nil, errNoPicture
	}
	small := fitted(full)
	if format == "jpeg" {
		small = upright(small, orientation(content))
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, small, &jpeg.Options{Quality: photoQuality}); err != nil {
		return nil, fmt.Errorf("writing a picture: %w", err)
	}
	return out.Bytes(), nil
}

// small is the middle of a picture, which picture has written, as lists show it.
func small(content []byte) ([]byte, error) {
	full, err := jpeg.Decode(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("reading a picture: %w", err)
	}
	b := full.Bounds()
	side := min(b.Dx(), b.Dy())
	corner := b.Min.Add(image.Pt((b.Dx()-side)/2, (b.Dy()-side)/2))
	dst := image.NewRGBA(image.Rect(0, 0, smallSide, smallSide))
	draw.CatmullRom.Scale(dst, dst.Bounds(), full, image.Rectangle{corner, corner.Add(image.Pt(side, side))}, draw.Src, nil)
	var out bytes.Buffer
	if err := jpeg.Encode(&out, dst, &jpeg.Options{Quality: smallQuality}); err != nil {
		return nil, fmt.Errorf("writing a picture: %w", err)
	}
	return out.Bytes(), nil
}

// fitted is a picture on white with sides of at most photoSide. It is halved as
// often as can be first: that needs little memory, and loses no detail.
func fitted(src image.Image) *image.RGBA {
	for {
		w, h := src.Bounds().Dx(), src.Bounds().Dy()
		long := max(w, h)
		switch {
		case long > 2*photoSide:
			w, h = (w+1)/2, (h+1)/2
		case long > photoSide:
			w, h = max(w*photoSide/long, 1), max(h*photoSide/long, 1)
		}
		dst := image.NewRGBA(image.Rect(0, 0, w, h))
		draw.Draw(dst, dst.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
		draw.ApproxBiLinear.Scale(dst, dst.Bounds(), src, src.Bounds(), draw.Over, nil)
		if max(w, h) <= photoSide {
			return dst
		}
		src = dst
	}
}

// upright turns a picture that a camera has kept as it was held (Exif 2.32,
// tag Orientation).
func upright(src *image.RGBA, orientation int) *image.RGBA {
	w, h := src.Bounds().Dx(), src.Bounds().Dy()
	to := map[int]func(x, y int) (int, int){
		2: func(x, y int) (int, int) { return w - 1 - x, y },
		3: func(x, y int) (int, int) { return w - 1 - x, h - 1 - y },
		4: func(x, y int) (int, int) { return x, h - 1 - y },
		5: func(x, y int) (int, int) { return y, x },
		6: func(x, y int) (int, int) { return h - 1 - y, x },
		7: func(x, y int) (int, int) { return h - 1 - y, w - 1 - x },
		8: func(x, y int) (int, int) { return y, w - 1 - x },
	}[orientation]
	if to == nil {
		return src
	}
	size := image.Rect(0, 0, w, h)
	if orientation >= 5 {
		size = image.Rect(0, 0, h, w)
	}
	dst := image.NewRGBA(size)
	for y := range h {
		for x := range w {
			dx, dy := to(x, y)
			dst.SetRGBA(dx, dy, src.RGBAAt(x, y))
		}
	}
	return dst
}

// orientation is how a JPEG is to be turned: 1, as it is, to 8.
func orientation(content []byte) int {
	for i := 2; i+4 <= len(content) && content[i] == 0xff; {
		length := int(binary.BigEndian.Uint16(content[i+2:]))
		end := i + 2 + length
		if length < 2 || end > len(content) || content[i+1] == 0xda { // the picture itself begins
			break
		}
		if exif, ok := bytes.CutPrefix(content[i+4:end], []byte("Exif\x00\x00")); ok && content[i+1] == 0xe1 {
			return exifOrientation(exif)
		}
		i = end
	}
	return 1
}

// exifOrientation reads the orientation in the first directory of a TIFF.
func exifOrientation(tiff []byte) int {
	if len(tiff) < 8 {
		return 1
	}
	var order binary.ByteOrder = binary.BigEndian
	if string(tiff[:2]) == "II" {
		order = binary.LittleEndian
	}
	at := uint64(order.Uint32(tiff[4:]))
	if at+2 > uint64(len(tiff)) {
		return 1
	}
	count := uint64(order.Uint16(tiff[at:]))
	for entry := at + 2; count > 0 && entry+12 <= uint64(len(tiff)); entry, count = entry+12, count-1 {
		if order.Uint16(tiff[entry:]) == 0x0112 {
			return int(order.Uint16(tiff[entry+8:]))
		}
	}
	return 1
}
