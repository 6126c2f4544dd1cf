/* Every command of the stand-in is one function; main.c finds it by the name of the executable. */
#pragma once

int setuproot_main(int argc, char **argv);
int timestend_main(int argc, char **argv);
int timestensubd_main(int argc, char **argv);
int timestenrepd_main(int argc, char **argv);
int ttcserver_main(int argc, char **argv);
int ttwebserver_main(int argc, char **argv);
int ttadmin_main(int argc, char **argv);
int ttadoptstores_main(int argc, char **argv);
int ttbackup_main(int argc, char **argv);
int ttdaemonadmin_main(int argc, char **argv);
int ttdestroy_main(int argc, char **argv);
int ttinstancecreate_main(int argc, char **argv);
int ttinstancemodify_main(int argc, char **argv);
int ttisql_main(int argc, char **argv);
int ttisqlcs_main(int argc, char **argv);
int ttmigrate_main(int argc, char **argv);
int ttrepadmin_main(int argc, char **argv);
int ttrestore_main(int argc, char **argv);
int ttshmsize_main(int argc, char **argv);
int ttstatus_main(int argc, char **argv);
int ttversion_main(int argc, char **argv);
