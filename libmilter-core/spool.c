/* spool.c - see spool.h */
#include "config.h"
#include "libmilter-core/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libmilter-core/sys.h"

#define CHUNK_SIZE 65535           /* a block of memory: one body chunk as both MTAs cut them */
#define FILE_READ_MAX (256 * 1024) /* most that is read from the file at once */

/* Blocks cover the spool from its start without gaps; a block that was written out or
 * discarded has no memory. */
typedef struct {
    guint8 *data;   /* NULL: in the file, or discarded */
    gsize size;     /* bytes used */
    gsize capacity; /* bytes of DATA */
} Block;

struct _MilterSpool {
    guint refs;
    MilterSpoolBudget *budget; /* borrowed */
    GArray *blocks;            /* Block, the i-th starts at i * CHUNK_SIZE */
    guint64 size;
    int fd;                    /* the file, -1 while there is none */
    gboolean is_broken;
    guint n_discarded; /* blocks given up at the start */
};

/* What the last read from a file gave; one for a thread is enough, as a view is valid
 * only until the next call. */
static __thread guint8 *file_view;

GQuark
milter_spool_error_quark(void)
{
    return g_quark_from_static_string("milter-spool-error");
}

MilterSpool *
milter_spool_new(MilterSpoolBudget *budget)
{
    MilterSpool *spool = g_new0(MilterSpool, 1);

    spool->refs = 1;
    spool->budget = budget;
    spool->blocks = g_array_new(FALSE, FALSE, sizeof(Block));
    spool->fd = -1;
    return spool;
}

MilterSpool *
milter_spool_ref(MilterSpool *spool)
{
    spool->refs++;
    return spool;
}

static Block *
block_at(MilterSpool *spool, guint i)
{
    return &g_array_index(spool->blocks, Block, i);
}

static void
free_block(MilterSpool *spool, Block *block)
{
    if (!block->data)
        return;
    spool->budget->memory_used -= block->capacity;
    g_clear_pointer(&block->data, g_free);
}

void
milter_spool_unref(MilterSpool **spool_p)
{
    MilterSpool *spool = g_steal_pointer(spool_p);

    if (!spool || --spool->refs)
        return;
    for (guint i = 0; i < spool->blocks->len; i++)
        free_block(spool, block_at(spool, i));
    g_array_unref(spool->blocks);
    if (spool->fd >= 0)
        (void)close(spool->fd);
    g_free(spool);
}

gboolean
milter_spool_is_broken(const MilterSpool *spool)
{
    return spool->is_broken;
}

guint64
milter_spool_size(const MilterSpool *spool)
{
    return spool->size;
}

static gboolean
break_spool(MilterSpool *spool, GError **error, const char *what)
{
    g_set_error(error, MILTER_SPOOL_ERROR, MILTER_SPOOL_ERROR_FILE,
                "manager.spool_directory %s: %s: %s", spool->budget->directory, what,
                g_strerror(errno));
    spool->is_broken = TRUE;
    return FALSE;
}

static gboolean
open_file(MilterSpool *spool, GError **error)
{
    int fd = milter_sys.open(spool->budget->directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    /* Not every file system has O_TMPFILE. */
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT)) {
        g_autofree char *name = g_build_filename(spool->budget->directory, "milter-XXXXXX", NULL);

        fd = mkostemp(name, O_CLOEXEC);
        if (fd >= 0)
            (void)unlink(name);
    }
    if (fd < 0)
        return break_spool(spool, error, "cannot make a file");
    spool->fd = fd;
    return TRUE;
}

static gboolean
write_file(MilterSpool *spool, guint64 offset, const guint8 *bytes, gsize size, GError **error)
{
    if (spool->fd < 0 && !open_file(spool, error))
        return FALSE;
    while (size) {
        ssize_t n = milter_sys.pwrite(spool->fd, bytes, size, offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return break_spool(spool, error, "cannot write");
        bytes += n;
        size -= n;
        offset += n;
    }
    return TRUE;
}

/* Move the last block to the file: the budget is used up. */
static gboolean
write_out_block(MilterSpool *spool, guint i, GError **error)
{
    Block *block = block_at(spool, i);

    if (!write_file(spool, (guint64)i * CHUNK_SIZE, block->data, block->size, error))
        return FALSE;
    free_block(spool, block);
    return TRUE;
}

/* A quarter is left to what cannot go to a file: header fields and changes. */
static gboolean
may_take(MilterSpool *spool, gsize size)
{
    return spool->budget->memory_used + size <= spool->budget->memory_limit / 4 * 3;
}

/* Room for more in block I: grows by doubling, so that a small body costs little. */
static gboolean
grow_block(MilterSpool *spool, guint i, gsize size)
{
    Block *block = block_at(spool, i);
    gsize wanted = MAX(512, block->capacity);

    while (wanted < block->size + size)
        wanted *= 2;
    wanted = MIN(wanted, CHUNK_SIZE);
    if (wanted <= block->capacity)
        return TRUE;
    if (!may_take(spool, wanted - block->capacity))
        return FALSE;
    spool->budget->memory_used += wanted - block->capacity;
    block->data = g_realloc(block->data, wanted);
    block->capacity = wanted;
    return TRUE;
}

static gboolean
append_piece(MilterSpool *spool, const guint8 *bytes, gsize size, GError **error)
{
    guint i = spool->size / CHUNK_SIZE;

    if (i == spool->blocks->len)
        g_array_append_val(spool->blocks, ((Block){ 0 }));

    Block *block = block_at(spool, i);
    gboolean is_in_file = block->size && !block->data;

    if (!is_in_file && grow_block(spool, i, size)) {
        memcpy(block->data + block->size, bytes, size);
    } else {
        if (block->data && !write_out_block(spool, i, error))
            return FALSE;
        if (!write_file(spool, spool->size, bytes, size, error))
            return FALSE;
    }
    block->size += size;
    spool->size += size;
    return TRUE;
}

gboolean
milter_spool_append(MilterSpool *spool, const void *bytes, gsize size, GError **error)
{
    const guint8 *next = bytes;

    if (spool->is_broken || spool->size + size > spool->budget->message_limit) {
        g_set_error(error, MILTER_SPOOL_ERROR, MILTER_SPOOL_ERROR_LIMIT,
                    "the message is above manager.spool_limit (%" G_GUINT64_FORMAT " bytes)",
                    spool->budget->message_limit);
        spool->is_broken = TRUE;
        return FALSE;
    }
    while (size) {
        gsize piece = MIN(size, CHUNK_SIZE - spool->size % CHUNK_SIZE);

        if (!append_piece(spool, next, piece, error))
            return FALSE;
        next += piece;
        size -= piece;
    }
    return TRUE;
}

static const guint8 *
read_file(MilterSpool *spool, guint64 offset, gsize size, gsize *got, GError **error)
{
    ssize_t n;

    if (!file_view)
        file_view = g_malloc(FILE_READ_MAX);
    do
        n = milter_sys.pread(spool->fd, file_view, MIN(size, FILE_READ_MAX), offset);
    while (n < 0 && errno == EINTR);
    if (n <= 0) {
        if (n == 0)
            errno = EIO;
        break_spool(spool, error, "cannot read");
        return NULL;
    }
    *got = n;
    return file_view;
}

const guint8 *
milter_spool_read(MilterSpool *spool, guint64 offset, gsize max, gsize *size, GError **error)
{
    guint i = offset / CHUNK_SIZE;
    gsize start = offset % CHUNK_SIZE;
    gsize have;

    if (offset >= spool->size || max == 0) {
        *size = 0;
        return (const guint8 *)"";
    }

    Block *block = block_at(spool, i);

    g_assert(i >= spool->n_discarded);
    if (block->data) {
        *size = MIN(max, block->size - start);
        return block->data + start;
    }
    /* As far as the neighbours are in the file too. */
    have = block->size - start;
    for (guint j = i + 1; j < spool->blocks->len && !block_at(spool, j)->data; j++)
        have += block_at(spool, j)->size;
    return read_file(spool, offset, MIN(max, have), size, error);
}

void
milter_spool_discard(MilterSpool *spool, guint64 offset)
{
    while ((guint64)(spool->n_discarded + 1) * CHUNK_SIZE <= offset &&
           spool->n_discarded < spool->blocks->len)
        free_block(spool, block_at(spool, spool->n_discarded++));
}
