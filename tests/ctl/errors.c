/* Prints the public error table: exit status, name, meaning. For comparing the manual with it. */
#include "common/error.h"

int main(void)
{
    for (int i = 0; i < TU_N_ERRORS; i++) {
        const TuErrorRow *row = tu_error_row(i);

        g_print("%d\t%s\t%s\n", row->exit_status, row->bus_name, row->meaning);
    }
    return 0;
}
