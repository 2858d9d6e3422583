#pragma once
/// The entries of the catalog; each lives in the file of its compressor.

#include "echelon/compression/compressor.hpp"

namespace echelon::detail {

CompressorEntry identity_entry();
CompressorEntry top_k_entry();
CompressorEntry random_k_entry();
CompressorEntry random_k_unbiased_entry();
CompressorEntry quantization_entry();
CompressorEntry sign_entry();
CompressorEntry float32_entry();
CompressorEntry bfloat16_entry();
CompressorEntry low_rank_entry();

}  // namespace echelon::detail
