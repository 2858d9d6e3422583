! Averaging with neighbors from Fortran: every rank holds a field, and mixes it with its neighbors' on a
! ring until all fields agree to 1e-6.
!
!     mpirun -n 4 neighbor_mean_fortran        (any number of ranks, one included)
program neighbor_mean
  use, intrinsic :: iso_fortran_env, only: real64
  use mpi
  use echelon
  implicit none
  integer, parameter :: rows = 40, columns = 25
  real(real64), parameter :: target_disagreement = 1e-6_real64
  real(real64) :: field(rows, columns), mean(rows, columns)
  real(real64) :: disagreement, distance
  type(gossip_communicator) :: communicator
  type(gossip_variable) :: variable
  integer :: rank, ranks, error, i, j, round
  logical :: right

  call MPI_Init(error)
  call MPI_Comm_rank(MPI_COMM_WORLD, rank, error)
  call MPI_Comm_size(MPI_COMM_WORLD, ranks, error)
  do j = 1, columns
    do i = 1, rows
      field(i, j) = sin(0.1_real64 * i * (rank + 1)) + j * rank
    end do
  end do

  call communicator%create(MPI_COMM_WORLD, "ring", error, [character(20) :: "weights=metropolis"])
  call check(error)
  call variable%create(communicator, "field", size(field), ECHELON_DOUBLE, error)
  call check(error)

  mean = field
  call communicator%mean(mean, error)
  call check(error)

  disagreement = huge(disagreement)
  round = 0
  do while (disagreement > target_disagreement .and. round < 100000)
    call variable%start(field, error)
    call check(error)
    ! Other work may be done here, with a call of variable%progress now and then.
    call variable%finish(field, error)
    call check(error)
    round = round + 1
    if (mod(round, 10) == 0) disagreement = spread_of(field)
  end do

  distance = maxval(abs(field - mean))
  call MPI_Allreduce(MPI_IN_PLACE, distance, 1, MPI_DOUBLE_PRECISION, MPI_MAX, MPI_COMM_WORLD, error)
  right = disagreement <= target_disagreement .and. distance <= target_disagreement
  if (rank == 0) print '(a, i0, a, i0, a, es8.1, a, es8.1)', "neighbor_mean: ", ranks, " ranks, ", &
    variable%rounds(), " rounds, disagreement", disagreement, ", distance to the exact mean", distance

  call variable%free()
  call communicator%free()
  call MPI_Finalize(error)
  if (.not. right) error stop 1

contains

  !> Largest difference between any two ranks.
  function spread_of(x) result(widest)
    real(real64), intent(in) :: x(:, :)
    real(real64) :: widest
    real(real64) :: ends(size(x, 1), size(x, 2), 2)
    ends(:, :, 1) = x
    ends(:, :, 2) = -x
    call MPI_Allreduce(MPI_IN_PLACE, ends, size(ends), MPI_DOUBLE_PRECISION, MPI_MAX, &
      MPI_COMM_WORLD, error)
    widest = maxval(ends(:, :, 1) + ends(:, :, 2))
  end function

  subroutine check(code)
    integer, intent(in) :: code
    integer :: ignored
    if (code == ECHELON_OK) return
    print '(a, i0, 2a)', "rank ", rank, ": ", echelon_error_text()
    call MPI_Abort(MPI_COMM_WORLD, code, ignored)
  end subroutine

end program neighbor_mean
