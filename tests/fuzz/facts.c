#include "fuzz.h"
#include "timesten/facts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = fuzz_text(data, size);
    g_autoptr(GError) error = NULL;
    g_autoptr(InstanceFacts) facts = facts_parse(text, &error);
    g_autoptr(InstanceFacts) same = NULL;
    g_autofree char *once = NULL, *twice = NULL;

    g_assert_cmpint(facts != NULL, ==, error == NULL);
    if (!facts)
        return 0;
    /* What was accepted can be handed on any number of times. */
    once = facts_format(facts);
    same = facts_parse(once, &error);
    g_assert_no_error(error);
    twice = facts_format(same);
    g_assert_cmpstr(once, ==, twice);
    g_assert_cmpuint(facts->databases->len, ==, same->databases->len);
    return 0;
}
