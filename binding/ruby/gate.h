/* gate.h - the only way from C into Ruby
 *
 * Whatever Ruby raises ends here, as a GError: no exception leaves this file, but for
 * mm_gate_send(), which is for functions that Ruby has called.  For files in binding/ruby/
 * only. */
#ifndef MM_GATE_H
#define MM_GATE_H

#include <glib.h>
#include <ruby.h>

#include "src/rules.h"

G_BEGIN_DECLS

/* Run BODY(ARGUMENT) with the interpreter's lock held.  On failure FALSE with
 * MM_RULES_ERROR_RAISED: one line, "FILE:LINE: reason"; *result (may be NULL) is left alone. */
gboolean mm_gate_run(VALUE (*body)(VALUE argument), VALUE argument, VALUE *result, GError **error);

/* Call a method, as above. */
gboolean mm_gate_call(VALUE receiver, const char *method, int argc, const VALUE *argv,
                      VALUE *result, GError **error);

/* Make *PLACE, a static variable, nil, and keep from the collector whatever it becomes. */
void mm_gate_keep(VALUE *place);

/* Call a method with ARGC (at most 4) arguments, from a function that Ruby called: may raise. */
VALUE mm_gate_send(VALUE receiver, ID method, int argc, ...);

G_END_DECLS
#endif
