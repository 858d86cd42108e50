/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "picture.h"

#include <fcntl.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int picture_resize(struct picture *p, unsigned width, unsigned height)
{
	size_t n = (size_t)width * height;

	if (!width || !height || width > PICTURE_MAX_SIDE || height > PICTURE_MAX_SIDE || n > PICTURE_MAX_PIXELS)
		return -EINVAL;
	if (n > p->capacity) {
		uint32_t *pixels = realloc(p->pixels, n * sizeof(*pixels));
		if (!pixels)
			return -ENOMEM;
		p->pixels = pixels;
		p->capacity = n;
	}
	p->width = width;
	p->height = height;
	return 0;
}

void picture_free(struct picture *p)
{
	free(p->pixels);
	*p = (struct picture){0};
}

static void row_rgb(const struct picture *p, unsigned y, uint8_t *rgb)
{
	const uint32_t *pixel = picture_row(p, y);

	for (unsigned x = 0; x < p->width; x++) {
		*rgb++ = (uint8_t)(pixel[x] >> 16);
		*rgb++ = (uint8_t)(pixel[x] >> 8);
		*rgb++ = (uint8_t)pixel[x];
	}
}

/* The caller says what went wrong; libpng need not. */
NORETURN static void on_png_error(png_structp png, png_const_charp text)
{
	png_longjmp(png, 1);
}

static void on_png_warning(png_structp png, png_const_charp text)
{
}

/* libpng reports errors by longjmp; nothing here changes between setjmp and it but what the caller owns. */
static int emit_png(const struct picture *p, FILE *f, uint8_t *row)
{
	png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, on_png_error, on_png_warning);
	png_infop info = png ? png_create_info_struct(png) : NULL;

	if (!info) {
		png_destroy_write_struct(&png, NULL);
		return -ENOMEM;
	}
	if (setjmp(png_jmpbuf(png))) {
		png_destroy_write_struct(&png, &info);
		return errno ? -errno : -EIO;
	}
	png_init_io(png, f);
	png_set_IHDR(png, info, p->width, p->height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
		     PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
	png_set_compression_level(png, 3);
	png_write_info(png, info);
	for (unsigned y = 0; y < p->height; y++) {
		row_rgb(p, y, row);
		png_write_row(png, row);
	}
	png_write_end(png, info);
	png_destroy_write_struct(&png, &info);
	return 0;
}

static int emit_ppm(const struct picture *p, FILE *f, uint8_t *row)
{
	size_t len = (size_t)p->width * 3;

	if (fprintf(f, "P6\n%u %u\n255\n", p->width, p->height) < 0)
		return -EIO;
	for (unsigned y = 0; y < p->height; y++) {
		row_rgb(p, y, row);
		if (fwrite(row, 1, len, f) != len)
			return errno ? -errno : -EIO;
	}
	return 0;
}

static int write_file(const struct picture *p, const char *path, int (*emit)(const struct picture *, FILE *, uint8_t *))
{
	struct stat st;
	uint8_t *row;
	bool regular;
	FILE *f;
	int fd, err;

	if (!p->width || !p->height)
		return -EINVAL;
	/* O_NONBLOCK: the guest does not stand still for who reads a FIFO, or does not. */
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666);
	if (fd < 0)
		return -errno;
	f = fdopen(fd, "wb");
	if (!f) {
		err = -errno;
		close(fd);
		return err;
	}
	regular = !fstat(fileno(f), &st) && S_ISREG(st.st_mode);
	row = malloc((size_t)p->width * 3);
	errno = 0;
	err = row ? emit(p, f, row) : -ENOMEM;
	free(row);
	if (fclose(f) && !err)
		err = -errno;
	if (err && regular)
		unlink(path);
	return err;
}

int picture_write_png(const struct picture *p, const char *path)
{
	return write_file(p, path, emit_png);
}

int picture_write_ppm(const struct picture *p, const char *path)
{
	return write_file(p, path, emit_ppm);
}
