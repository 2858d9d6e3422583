#pragma once
/// Eigen, with the settings that the library was built with: Eigen objects cross the border between
/// the library and a program, so both must allocate, align and free them in the same way, whatever
/// instruction set each of them is compiled for.

/// Alignment of what Eigen allocates and of its objects of fixed size, in bytes: that of the widest
/// vectors there are. By default it would follow the instruction set.
#ifndef EIGEN_WORLD_VERSION
#ifndef EIGEN_MAX_ALIGN_BYTES
#define EIGEN_MAX_ALIGN_BYTES 64
#endif
#ifndef EIGEN_MAX_STATIC_ALIGN_BYTES
#define EIGEN_MAX_STATIC_ALIGN_BYTES 64
#endif
#ifndef EIGEN_DONT_PARALLELIZE
#define EIGEN_DONT_PARALLELIZE
#endif
#endif

#include <Eigen/Core>

#if EIGEN_MAX_ALIGN_BYTES != 64 || EIGEN_MAX_STATIC_ALIGN_BYTES != 64
#error \
    "Eigen aligns its objects to fewer bytes here than in the Echelon library: include an Echelon header before the first header of Eigen, or compile the whole program with -DEIGEN_MAX_ALIGN_BYTES=64 -DEIGEN_MAX_STATIC_ALIGN_BYTES=64."
#endif
#if defined(EIGEN_HAS_OPENMP)
#error \
    "Eigen uses threads of its own here, which the Echelon library does not: include an Echelon header before the first header of Eigen, or compile the whole program with -DEIGEN_DONT_PARALLELIZE."
#endif
