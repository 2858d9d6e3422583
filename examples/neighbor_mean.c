/* Averaging with neighbors from C: every rank holds a field, and mixes it with its neighbors' on a
 * ring until all fields agree to 1e-6.
 *
 *     mpirun -n 4 neighbor_mean        (any number of ranks, one included) */
#include <echelon.h>
#include <math.h>
#include <mpi.h>
#include <stdio.h>
#include <string.h>

enum { size = 1000, most_rounds = 100000 };
static const double target = 1e-6;

static void check(int error, int rank) {
  if (error == ECHELON_OK) return;
  fprintf(stderr, "rank %d: %s\n", rank, echelon_last_error());
  MPI_Abort(MPI_COMM_WORLD, error);
}

/* Largest difference between any two ranks. */
static double spread_of(const double* x) {
  double ends[2 * size];
  double widest = 0;
  for (int i = 0; i < size; ++i) {
    ends[i] = x[i];
    ends[size + i] = -x[i];
  }
  MPI_Allreduce(MPI_IN_PLACE, ends, 2 * size, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
  for (int i = 0; i < size; ++i) widest = fmax(widest, ends[i] + ends[size + i]);
  return widest;
}

int main(int argc, char** argv) {
  static double field[size], mean[size];
  echelon_communicator* communicator = NULL;
  echelon_variable* variable = NULL;
  const char* const options[] = {"weights=metropolis", NULL};
  double disagreement = HUGE_VAL;
  double distance = 0;
  int rank = 0;
  int ranks = 1;

  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  for (int i = 0; i < size; ++i) field[i] = sin(0.1 * i * (rank + 1)) + rank;

  check(echelon_create(MPI_COMM_WORLD, "ring", options, &communicator), rank);
  check(echelon_variable_create(communicator, "field", size, ECHELON_DOUBLE, NULL, &variable),
        rank);

  memcpy(mean, field, sizeof mean);
  check(echelon_mean_double(communicator, mean, size), rank);

  for (int round = 1; round <= most_rounds && disagreement > target; ++round) {
    check(echelon_start_double(variable, field, size), rank);
    /* Other work may be done here, with a call of echelon_progress now and then. */
    check(echelon_finish_double(variable, field, size), rank);
    if (round % 10 == 0) disagreement = spread_of(field);
  }

  for (int i = 0; i < size; ++i) distance = fmax(distance, fabs(field[i] - mean[i]));
  MPI_Allreduce(MPI_IN_PLACE, &distance, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
  if (rank == 0) {
    printf(
        "neighbor_mean: %d ranks, %d rounds, disagreement %.1e, distance to the exact mean %.1e\n",
        ranks, (int)echelon_rounds(variable), disagreement, distance);
  }

  echelon_variable_free(variable);
  echelon_free(communicator);
  MPI_Finalize();
  return disagreement <= target && distance <= target ? 0 : 1;
}
