/* Echelon's averaging with neighbors for programs in C (and through it Fortran and others).
 *
 * Functions return 0, or the kind of the error as below; nothing is thrown, printed, or ended.
 * After an error, results behind pointers are as they were. Unless a comment says "not collective",
 * all ranks of the communicator call a function in the same order, with the same names, sizes and
 * options. MPI must be initialized before (with MPI_THREAD_FUNNELED or higher if the program has
 * threads) and finalized after everything is freed. One thread at a time may call.
 * What the functions compute is described in echelon/embed/gossip.hpp. */
#ifndef ECHELON_H
#define ECHELON_H

#include <mpi.h>
#include <stdint.h>

#include "echelon/core/version.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
  ECHELON_OK = 0,
  ECHELON_USAGE = 2,          /* a call, an option, a size */
  ECHELON_BAD_DATA = 65,      /* malformed matrix or file */
  ECHELON_MISSING_INPUT = 66, /* a file that is not there */
  ECHELON_INTERNAL = 70,      /* a mistake of the library, or no memory */
  ECHELON_CANNOT_CREATE = 73,
  ECHELON_INPUT_OUTPUT = 74, /* reading failed half-way */
  ECHELON_STALLED = 76       /* a peer does not answer; end the program */
};

/* Numbers of a variable. */
enum { ECHELON_FLOAT = 4, ECHELON_DOUBLE = 8 };

typedef struct echelon_communicator echelon_communicator;
typedef struct echelon_variable echelon_variable;

/* Version of the library that the program runs with, such as "0.1.0"; that of this header is
 * ECHELON_VERSION_STRING. Not collective. */
const char* echelon_version(void);

/* One line about the last error of the calling thread; empty if there was none. Valid until the
 * thread's next error. Not collective. */
const char* echelon_last_error(void);

/* Communicators
 *
 * Agent i of the network is rank i of `comm`, which is duplicated and not used otherwise. `options`
 * is a list of "key=value" that ends with NULL, or NULL. Keys are those of section `network` of a
 * configuration file (weights, lazy, edge_probability, degree, link_failure, graph_seed, ...), and
 * stall_seconds (300; 0 = for ever) and share_memory (yes). */

/* `topology` is a name such as "ring" or "one-peer-exponential". */
int echelon_create(MPI_Comm comm, const char* topology, const char* const* options,
                   echelon_communicator** created);
/* A graph file that all ranks can read, with one agent per rank. */
int echelon_create_from_file(MPI_Comm comm, const char* path, const char* const* options,
                             echelon_communicator** created);
/* The whole n x n mixing matrix, the same on all ranks, n = ranks of `comm`: rank i receives
 * sum_k weights[k] x_senders[k] over row_begin[i] <= k < row_begin[i + 1]; row_begin[0] = 0. Rows
 * sum to 1 within 1e-12, or all columns do (for push-sum). Options: stall_seconds, share_memory. */
int echelon_create_from_matrix(MPI_Comm comm, const int64_t* row_begin, const int32_t* senders,
                               const double* weights, const char* const* options,
                               echelon_communicator** created);
/* The same for a Fortran handle: an INTEGER of `use mpi`, or comm%MPI_VAL of `use mpi_f08`. */
int echelon_create_fortran(MPI_Fint comm, const char* topology, const char* const* options,
                           echelon_communicator** created);
int echelon_create_from_matrix_fortran(MPI_Fint comm, const int64_t* row_begin,
                                       const int32_t* senders, const double* weights,
                                       const char* const* options, echelon_communicator** created);
/* NULL is fine. Variables may be freed later. */
void echelon_free(echelon_communicator* communicator);

/* Exact mean over ranks, in place, with the same bits on all ranks. */
int echelon_mean_double(echelon_communicator* communicator, double* x, int64_t size);
int echelon_mean_float(echelon_communicator* communicator, float* x, int64_t size);

/* What the network can be relied on for, a few lines; lives as long as the communicator. NULL for
 * NULL. Not collective. */
const char* echelon_certificate(const echelon_communicator* communicator);
/* By this rank to its neighbors, in variables and means; 0 for NULL. Not collective. */
int64_t echelon_bytes_sent(const echelon_communicator* communicator);

/* Variables
 *
 * `size` numbers per rank, of type ECHELON_FLOAT or ECHELON_DOUBLE. Options: weights (given, row,
 * column), lazy (no), rounds (1), chebyshev (no), or, for compressed messages, compressor (such as
 * top-k), compression_ratio, compression_bits, ..., gamma (0 = chosen), seed (1). */
int echelon_variable_create(echelon_communicator* communicator, const char* name, int64_t size,
                            int type, const char* const* options, echelon_variable** created);
/* NULL is fine. Not between start and finish. */
void echelon_variable_free(echelon_variable* variable);

/* `size` is that of the variable: checked, an error of this rank alone, before anything is sent. */

/* x <- sum_j w_ij x_j */
int echelon_mix_double(echelon_variable* variable, double* x, int64_t size);
int echelon_mix_float(echelon_variable* variable, float* x, int64_t size);
/* The same with time for other work in between. `x` may change as soon as start returns. */
int echelon_start_double(echelon_variable* variable, const double* x, int64_t size);
int echelon_start_float(echelon_variable* variable, const float* x, int64_t size);
int echelon_finish_double(echelon_variable* variable, double* x, int64_t size);
int echelon_finish_float(echelon_variable* variable, float* x, int64_t size);
/* Lets messages under way go on. Not collective. */
int echelon_progress(echelon_variable* variable);

/* `rounds` rounds of push-sum from x, with column weights: tends to the mean on directed networks,
 * too. Has no part in the variable's mixing. */
int echelon_push_sum_double(echelon_variable* variable, double* x, int64_t size, int rounds);
int echelon_push_sum_float(echelon_variable* variable, float* x, int64_t size, int rounds);

/* Exchanges of the variable's mixing so far; 0 for NULL. Not collective. */
int64_t echelon_rounds(const echelon_variable* variable);

#ifdef __cplusplus
}
#endif

#endif
