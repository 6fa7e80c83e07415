/* record.h - what one connection of a scripted milter saw and did, line by line
 *
 * One file per connection.  A line is "STEP WORD…"; bytes stand in quotes with \xHH for everything
 * that is not printable; long ones are cut and given with length and checksum.  The last line of
 * a finished connection is "closed". */
#ifndef E2E_RECORD_H
#define E2E_RECORD_H

#include <glib.h>
#include <libmilter/mfapi.h>

typedef struct Record Record;

/* Open DIRECTORY/log.NUMBER with the next number of this process. */
Record *record_open(const char *directory);

/* Write "closed" and free. */
void record_close(Record **record);

/* Write one line; FORMAT as for printf, without line end. */
void record_line(Record *record, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Bytes as a quoted word; the caller frees it. */
char *record_quote(const char *bytes, gsize size);

/* Write those macros whose value has changed since the last call: "  {name}=value". */
void record_macros(Record *record, SMFICTX *ctx);

#endif
