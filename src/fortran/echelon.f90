!> Averaging with neighbors over MPI, for Fortran programs: the functions of echelon.h for arrays of
!> real(real32) and real(real64) of any rank.
!>
!> All procedures but `progress`, `rounds`, `bytes_sent`, `certificate` and `echelon_error_text` are
!> collective: every rank of the communicator calls them in the same order. `error` is 0 or the kind of
!> the error (ECHELON_USAGE, ...), of which `echelon_error_text()` says more. Arrays with gaps in memory
!> are copied on the way in and out. MPI must be initialized before, and finalized after `free`.
module echelon
  use, intrinsic :: iso_c_binding, only: c_associated, c_char, c_double, c_f_pointer, c_float, &
    c_int, c_int32_t, c_int64_t, c_loc, c_null_char, c_null_ptr, c_ptr, c_size_t
  implicit none
  private

  integer(c_int), parameter, public :: ECHELON_OK = 0, ECHELON_USAGE = 2, ECHELON_BAD_DATA = 65, &
    ECHELON_MISSING_INPUT = 66, ECHELON_INTERNAL = 70, ECHELON_CANNOT_CREATE = 73, &
    ECHELON_INPUT_OUTPUT = 74, ECHELON_STALLED = 76
  integer(c_int), parameter, public :: ECHELON_FLOAT = 4, ECHELON_DOUBLE = 8

  public :: echelon_error_text

  !> Ranks that average with their neighbors; agent i of the network is rank i.
  type, public :: gossip_communicator
    private
    type(c_ptr) :: handle = c_null_ptr
  contains
    !> call c%create(comm, topology, error [, options]): comm is an integer of `use mpi`, or comm%MPI_VAL
    !> of `use mpi_f08`; options are "key=value", as in echelon.h.
    procedure :: create => create_from_topology
    !> call c%create_from_file(comm, path, error [, options])
    procedure :: create_from_file
    !> call c%create_from_matrix(comm, row_begin, senders, weights, error [, options]): the whole matrix
    !> by rows; ranks and places count from 0, as in echelon.h.
    procedure :: create_from_matrix
    !> call c%mean(x, error): the exact mean, in place
    generic :: mean => mean_float, mean_double
    procedure :: certificate
    procedure :: bytes_sent
    procedure :: free => free_communicator
    procedure, private :: mean_float, mean_double
  end type gossip_communicator

  !> An array per rank, of `size` numbers.
  type, public :: gossip_variable
    private
    type(c_ptr) :: handle = c_null_ptr
  contains
    !> call v%create(c, name, size, kind, error [, options]): kind is ECHELON_FLOAT or ECHELON_DOUBLE
    procedure :: create => create_variable
    !> call v%mix(x, error): x <- sum_j w_ij x_j
    generic :: mix => mix_float, mix_double
    !> call v%start(x, error), call v%finish(x, error): the same with time for other work in between
    generic :: start => start_float, start_double
    generic :: finish => finish_float, finish_double
    !> call v%push_sum(x, rounds, error): tends to the mean on directed networks, too
    generic :: push_sum => push_sum_float, push_sum_double
    procedure :: progress
    procedure :: rounds
    procedure :: free => free_variable
    procedure, private :: mix_float, mix_double, start_float, start_double, finish_float, &
      finish_double, push_sum_float, push_sum_double
  end type gossip_variable

  interface
    function c_last_error() bind(c, name="echelon_last_error") result(text)
      import :: c_ptr
      type(c_ptr) :: text
    end function
    function c_create(comm, topology, options, created) bind(c, name="echelon_create_fortran") &
        result(error)
      import :: c_int, c_ptr
      integer, value :: comm
      type(c_ptr), value :: topology, options
      type(c_ptr), intent(inout) :: created
      integer(c_int) :: error
    end function
    function c_create_from_matrix(comm, row_begin, senders, weights, options, created) &
        bind(c, name="echelon_create_from_matrix_fortran") result(error)
      import :: c_double, c_int, c_int32_t, c_int64_t, c_ptr
      integer, value :: comm
      integer(c_int64_t), intent(in) :: row_begin(*)
      integer(c_int32_t), intent(in) :: senders(*)
      real(c_double), intent(in) :: weights(*)
      type(c_ptr), value :: options
      type(c_ptr), intent(inout) :: created
      integer(c_int) :: error
    end function
    subroutine c_free(communicator) bind(c, name="echelon_free")
      import :: c_ptr
      type(c_ptr), value :: communicator
    end subroutine
    function c_certificate(communicator) bind(c, name="echelon_certificate") result(text)
      import :: c_ptr
      type(c_ptr), value :: communicator
      type(c_ptr) :: text
    end function
    function c_bytes_sent(communicator) bind(c, name="echelon_bytes_sent") result(bytes)
      import :: c_int64_t, c_ptr
      type(c_ptr), value :: communicator
      integer(c_int64_t) :: bytes
    end function
    function c_variable_create(communicator, name, size, type, options, created) &
        bind(c, name="echelon_variable_create") result(error)
      import :: c_int, c_int64_t, c_ptr
      type(c_ptr), value :: communicator, name, options
      integer(c_int64_t), value :: size
      integer(c_int), value :: type
      type(c_ptr), intent(inout) :: created
      integer(c_int) :: error
    end function
    subroutine c_variable_free(variable) bind(c, name="echelon_variable_free")
      import :: c_ptr
      type(c_ptr), value :: variable
    end subroutine
    function c_progress(variable) bind(c, name="echelon_progress") result(error)
      import :: c_int, c_ptr
      type(c_ptr), value :: variable
      integer(c_int) :: error
    end function
    function c_rounds(variable) bind(c, name="echelon_rounds") result(count)
      import :: c_int64_t, c_ptr
      type(c_ptr), value :: variable
      integer(c_int64_t) :: count
    end function
    pure function c_strlen(text) bind(c, name="strlen") result(length)
      import :: c_ptr, c_size_t
      type(c_ptr), value :: text
      integer(c_size_t) :: length
    end function
  end interface

  ! (handle, array, size) -> error
  abstract interface
    function on_array(handle, x, size) bind(c) result(error)
      import :: c_int, c_int64_t, c_ptr
      type(c_ptr), value :: handle, x
      integer(c_int64_t), value :: size
      integer(c_int) :: error
    end function
    function on_array_with_rounds(handle, x, size, rounds) bind(c) result(error)
      import :: c_int, c_int64_t, c_ptr
      type(c_ptr), value :: handle, x
      integer(c_int64_t), value :: size
      integer(c_int), value :: rounds
      integer(c_int) :: error
    end function
  end interface
  procedure(on_array), bind(c, name="echelon_mean_float") :: c_mean_float
  procedure(on_array), bind(c, name="echelon_mean_double") :: c_mean_double
  procedure(on_array), bind(c, name="echelon_mix_float") :: c_mix_float
  procedure(on_array), bind(c, name="echelon_mix_double") :: c_mix_double
  procedure(on_array), bind(c, name="echelon_start_float") :: c_start_float
  procedure(on_array), bind(c, name="echelon_start_double") :: c_start_double
  procedure(on_array), bind(c, name="echelon_finish_float") :: c_finish_float
  procedure(on_array), bind(c, name="echelon_finish_double") :: c_finish_double
  procedure(on_array_with_rounds), bind(c, name="echelon_push_sum_float") :: c_push_sum_float
  procedure(on_array_with_rounds), bind(c, name="echelon_push_sum_double") :: c_push_sum_double

  !> Texts and lists of texts as C has them.
  type :: c_text
    character(kind=c_char), allocatable :: letters(:)
  end type
  type :: c_texts
    type(c_text), allocatable :: texts(:)
    type(c_ptr), allocatable :: pointers(:)
  end type

contains

  !> One line about the last error of the calling thread.
  function echelon_error_text() result(text)
    character(:), allocatable :: text
    text = fortran_text(c_last_error())
  end function

  subroutine create_from_topology(self, comm, topology, error, options)
    class(gossip_communicator), intent(inout) :: self
    integer, intent(in) :: comm
    character(*), intent(in) :: topology
    integer, intent(out) :: error
    character(*), intent(in), optional :: options(:)
    type(c_text), target :: name
    type(c_texts), target :: list
    name = text_of(topology)
    call fill(list, options)
    error = c_create(comm, c_loc(name%letters), pointer_to(list), self%handle)
  end subroutine

  subroutine create_from_file(self, comm, path, error, options)
    class(gossip_communicator), intent(inout) :: self
    integer, intent(in) :: comm
    character(*), intent(in) :: path
    integer, intent(out) :: error
    character(*), intent(in), optional :: options(:)
    type(c_text), target :: name
    type(c_texts), target :: list
    name = text_of("file")
    call fill(list, options, "file=" // path)
    error = c_create(comm, c_loc(name%letters), pointer_to(list), self%handle)
  end subroutine

  subroutine create_from_matrix(self, comm, row_begin, senders, weights, error, options)
    class(gossip_communicator), intent(inout) :: self
    integer, intent(in) :: comm
    integer(c_int64_t), intent(in) :: row_begin(:)
    integer(c_int32_t), intent(in) :: senders(:)
    real(c_double), intent(in) :: weights(:)
    integer, intent(out) :: error
    character(*), intent(in), optional :: options(:)
    type(c_texts), target :: list
    call fill(list, options)
    error = c_create_from_matrix(comm, row_begin, senders, weights, pointer_to(list), self%handle)
  end subroutine

  !> What the network can be relied on for, a few lines.
  function certificate(self) result(text)
    class(gossip_communicator), intent(in) :: self
    character(:), allocatable :: text
    text = fortran_text(c_certificate(self%handle))
  end function

  !> By this rank to its neighbors, in variables and means.
  function bytes_sent(self) result(bytes)
    class(gossip_communicator), intent(in) :: self
    integer(c_int64_t) :: bytes
    bytes = c_bytes_sent(self%handle)
  end function

  subroutine free_communicator(self)
    class(gossip_communicator), intent(inout) :: self
    call c_free(self%handle)
    self%handle = c_null_ptr
  end subroutine

  subroutine mean_float(self, x, error)
    class(gossip_communicator), intent(in) :: self
    real(c_float), intent(inout), contiguous, target :: x(..)
    integer, intent(out) :: error
    error = c_mean_float(self%handle, c_loc(x), size(x, kind=c_int64_t))
  end subroutine

  subroutine mean_double(self, x, error)
    class(gossip_communicator), intent(in) :: self
    real(c_double), intent(inout), contiguous, target :: x(..)
    integer, intent(out) :: error
    error = c_mean_double(self%handle, c_loc(x), size(x, kind=c_int64_t))
  end subroutine

  subroutine create_variable(self, communicator, name, size, kind, error, options)
    class(gossip_variable), intent(inout) :: self
    type(gossip_communicator), intent(in) :: communicator
    character(*), intent(in) :: name
    integer, intent(in) :: size
    integer(c_int), intent(in) :: kind
    integer, intent(out) :: error
    character(*), intent(in), optional :: options(:)
    type(c_text), target :: own_name
    type(c_texts), target :: list
    own_name = text_of(name)
    call fill(list, options)
    error = c_variable_create(communicator%handle, c_loc(own_name%letters), &
      int(size, c_int64_t), kind, pointer_to(list), self%handle)
  end subroutine

  subroutine free_variable(self)
    class(gossip_variable), intent(inout) :: self
    call c_variable_free(self%handle)
    self%handle = c_null_ptr
  end subroutine

  subroutine mix_float(self, x, error)
    class(gossip_variable), intent(in) :: self
    real(c_float), intent(inout), contiguous, target :: x(..)
    integer, intent(out) :: error
    error = c_mix_float(self%handle, c_loc(x), size(x, kind=c_int64_t))
  end subroutine

  subroutine mix_double(self, x, error)
    class(gossip_variable), intent(in) :: self
    real(c_double), intent(inout), contiguous, target :: x(..)
    integer, intent(out) :: error
    error = c_mix_double(self%handle, c_loc(x), size(x, kind=c_int64_t))
  end subroutine

  subroutine start_float(self, x, error)
    class(gossip_variable), intent(in) :: self
    real(c_float), intent(in), contiguous, target :: x(..)
    integer, intent(out) :: error
    error = c_start_float(self%handle, c_loc(x), size(x, kind=c_int64_t))
  end subroutine

  subroutine start_double(self, x, error)
    class(gossip_variable), intent(in) :: self
    real(c_double), intent(in), contiguous, target :: x(..)
    integer, intent(out) :: error
    error = c_start_double(self%handle, c_loc(x), size(x, kind=c_int64_t))
  end subroutine

  subroutine finish_float(self, x, error)
    class(gossip_variable), intent(in) :: self
    real(c_float), intent(inout), contiguous, target :: x(..)
    integer, intent(out) :: error
    error = c_finish_float(self%handle, c_loc(x), size(x, kind=c_int64_t))
  end subroutine

  subroutine finish_double(self, x, error)
    class(gossip_variable), intent(in) :: self
    real(c_double), intent(inout), contiguous, target :: x(..)
    integer, intent(out) :: error
    error = c_finish_double(self%handle, c_loc(x), size(x, kind=c_int64_t))
  end subroutine

  subroutine push_sum_float(self, x, rounds, error)
    class(gossip_variable), intent(in) :: self
    real(c_float), intent(inout), contiguous, target :: x(..)
    integer, intent(in) :: rounds
    integer, intent(out) :: error
    error = c_push_sum_float(self%handle, c_loc(x), size(x, kind=c_int64_t), int(rounds, c_int))
  end subroutine

  subroutine push_sum_double(self, x, rounds, error)
    class(gossip_variable), intent(in) :: self
    real(c_double), intent(inout), contiguous, target :: x(..)
    integer, intent(in) :: rounds
    integer, intent(out) :: error
    error = c_push_sum_double(self%handle, c_loc(x), size(x, kind=c_int64_t), int(rounds, c_int))
  end subroutine

  !> Lets messages under way go on; never waits.
  subroutine progress(self, error)
    class(gossip_variable), intent(in) :: self
    integer, intent(out) :: error
    error = c_progress(self%handle)
  end subroutine

  !> Exchanges so far.
  function rounds(self) result(count)
    class(gossip_variable), intent(in) :: self
    integer(c_int64_t) :: count
    count = c_rounds(self%handle)
  end function

  function text_of(text) result(converted)
    character(*), intent(in) :: text
    type(c_text) :: converted
    integer :: i
    allocate (converted%letters(len_trim(text) + 1))
    do i = 1, len_trim(text)
      converted%letters(i) = text(i:i)
    end do
    converted%letters(len_trim(text) + 1) = c_null_char
  end function

  !> The options, and `last` if it is there.
  subroutine fill(list, options, last)
    type(c_texts), intent(inout), target :: list
    character(*), intent(in), optional :: options(:)
    character(*), intent(in), optional :: last
    integer :: i, count
    count = 0
    if (present(options)) count = size(options)
    allocate (list%texts(count + 1), list%pointers(count + 2))
    do i = 1, count
      list%texts(i) = text_of(options(i))
      list%pointers(i) = c_loc(list%texts(i)%letters)
    end do
    list%pointers(count + 1:) = c_null_ptr
    if (.not. present(last)) return
    list%texts(count + 1) = text_of(last)
    list%pointers(count + 1) = c_loc(list%texts(count + 1)%letters)
  end subroutine

  function pointer_to(list) result(pointer)
    type(c_texts), intent(in), target :: list
    type(c_ptr) :: pointer
    pointer = c_loc(list%pointers)
  end function

  function fortran_text(text) result(converted)
    type(c_ptr), intent(in) :: text
    character(:), allocatable :: converted
    character(kind=c_char), pointer :: letters(:)
    integer :: i
    if (.not. c_associated(text)) then
      converted = ""
      return
    end if
    call c_f_pointer(text, letters, [c_strlen(text)])
    allocate (character(size(letters)) :: converted)
    do i = 1, size(letters)
      converted(i:i) = letters(i)
    end do
  end function

end module echelon
