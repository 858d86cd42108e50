/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A picture in memory, and the files that people look at: PNG and PPM.
 */
#ifndef GNOMON_PICTURE_H
#define GNOMON_PICTURE_H

#include "base.h"

enum {
	PICTURE_MAX_SIDE = 16384,
	PICTURE_MAX_PIXELS = 32 << 20, /* what a guest can make us allocate: 128 MiB */
};

/* Pixels are 0x00RRGGBB, row after row without padding. All zero: an empty picture. */
struct picture {
	unsigned width, height;
	uint32_t *pixels;
	size_t capacity; /* pixels allocated */
};

/*
 * Gives the picture a size; what it shows is undefined until drawn. Memory is kept for the next time. 0, -EINVAL
 * (beyond the limits above), -ENOMEM; on error the picture is as it was.
 */
int picture_resize(struct picture *p, unsigned width, unsigned height);

/* Frees the pixels; the picture is empty then. */
void picture_free(struct picture *p);

/*
 * Writes the picture to a file, which is made or replaced. 0 or a negative errno (of open, write ...; -EINVAL for an
 * empty picture, -EIO for an error of the PNG library; for a FIFO -ENXIO if nobody reads it, -EAGAIN if it is full); a
 * file that could not be completed is removed.
 */
int picture_write_png(const struct picture *p, const char *path);
int picture_write_ppm(const struct picture *p, const char *path);

/* Row y of the picture. */
static inline uint32_t *picture_row(const struct picture *p, unsigned y)
{
	return p->pixels + (size_t)y * p->width;
}

#endif
