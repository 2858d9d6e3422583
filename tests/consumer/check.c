/* A program in C99 on the installed header. */
#include <echelon.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char** argv) {
  echelon_communicator* communicator = NULL;
  double x = 1;
  int error;
  MPI_Init(&argc, &argv);
  error = echelon_create(MPI_COMM_WORLD, "ring", NULL, &communicator);
  if (error == ECHELON_OK) error = echelon_mean_double(communicator, &x, 1);
  if (error != ECHELON_OK) fprintf(stderr, "%s\n", echelon_last_error());
  echelon_free(communicator);
  MPI_Finalize();
  return error == ECHELON_OK && x == 1 && strcmp(echelon_version(), ECHELON_VERSION_STRING) == 0
             ? 0
             : 1;
}
