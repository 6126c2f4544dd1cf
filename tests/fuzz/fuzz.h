/* What every fuzz target shares. A target is one function that takes any bytes, feeds one parser
 * and asserts what must hold for whatever came out.
 */
#pragma once

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

/* The entry that libFuzzer calls; corpus.c calls it too. Always 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The bytes as a string: up to the first NUL, as every parser here would see them. g_free(). */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
    return g_strndup((const char *)data, size);
}
