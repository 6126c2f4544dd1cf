#include "fuzz.h"
#include "timesten/version.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = fuzz_text(data, size);
    g_autoptr(Version) version = version_parse(text);
    Release release, again;

    if (version)
        g_assert_cmpuint(version->release.parts, >=, 2);
    if (release_parse(text, &release, NULL)) {
        g_autofree char *shown = release_format(&release), *major = release_major(&release);

        g_assert_true(release_parse(shown, &again, NULL));
        g_assert_cmpint(release_compare(&release, &again), ==, 0);
        g_assert_true(release_same_major(&release, &again));
        g_assert_cmpstr(major, !=, "");
    }
    return 0;
}
