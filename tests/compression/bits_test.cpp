#include "../../src/compression/bits.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "echelon/core/random.hpp"

namespace echelon {
namespace {

using detail::BitReader;
using detail::BitWriter;
using detail::packed_bytes;

std::vector<int> values_of(const std::vector<std::byte>& bytes) {
  std::vector<int> values;
  for (const std::byte b : bytes) values.push_back(std::to_integer<int>(b));
  return values;
}

TEST(Bits, NumbersAreLittleEndianAtAnyAddress) {
  std::vector<std::byte> bytes(13);
  detail::store(bytes.data() + 1, std::uint32_t{0x01020304});
  detail::store(bytes.data() + 5, -2.0);  // 0xc000000000000000
  EXPECT_EQ(values_of(bytes), (std::vector<int>{0, 4, 3, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0xc0}));
  EXPECT_EQ(detail::load<std::uint32_t>(bytes.data() + 1), 0x01020304u);
  EXPECT_EQ(detail::load<double>(bytes.data() + 5), -2.0);
}

TEST(Bits, BlocksOfDoublesComeBack) {
  const std::vector<double> values = {0.1, -0.0, std::numeric_limits<double>::denorm_min(), 1e308};
  std::vector<std::byte> bytes(33);
  detail::store_all(bytes.data() + 1, values);
  std::vector<double> back(4);
  detail::load_all(bytes.data() + 1, back);
  EXPECT_EQ(back, values);
  EXPECT_TRUE(std::signbit(back[1]));
}

TEST(Bits, FieldsFollowEachOtherLowestBitFirst) {
  std::vector<std::byte> bytes(packed_bytes(3, 5), std::byte{0xff});
  ASSERT_EQ(bytes.size(), 2u);
  BitWriter writer(bytes.data());
  writer.put(0b00001, 5);
  writer.put(0b10011, 5);
  writer.put(0b11000, 5);
  writer.finish();
  // 11000 10011 00001 from the highest bit; the spare bit is 0
  EXPECT_EQ(values_of(bytes), (std::vector<int>{0b01100001, 0b01100010}));
}

TEST(Bits, ByteCounts) {
  EXPECT_EQ(packed_bytes(0, 7), 0u);
  EXPECT_EQ(packed_bytes(5, 0), 0u);
  EXPECT_EQ(packed_bytes(8, 1), 1u);
  EXPECT_EQ(packed_bytes(9, 1), 2u);
  EXPECT_EQ(packed_bytes(1000, 10), 1250u);
}

TEST(Bits, EveryWidthComesBackAndNothingElseIsTouched) {
  Draws draws(1, Purpose::start);
  for (int width = 0; width <= 56; ++width) {
    for (const std::size_t count : {1u, 2u, 7u, 8u, 9u, 65u}) {
      std::vector<std::uint64_t> fields(count);
      for (auto& field : fields) field = draws.bits() & ((std::uint64_t{1} << width) - 1);
      const std::size_t size = packed_bytes(count, width);
      std::vector<std::byte> bytes(size + 1, std::byte{0x5a});
      BitWriter writer(bytes.data());
      for (const auto field : fields) writer.put(field, width);
      writer.finish();
      EXPECT_EQ(bytes[size], std::byte{0x5a}) << width;
      bytes.resize(size);
      bytes.shrink_to_fit();  // a read beyond the end is then seen by the address sanitizer
      BitReader reader(bytes.data());
      for (const auto field : fields) ASSERT_EQ(reader.take(width), field) << width << " " << count;
    }
  }
}

TEST(Bits, WidthsMayChange) {
  std::vector<std::byte> bytes(16);
  BitWriter writer(bytes.data());
  for (int width = 1; width <= 15; ++width) writer.put((1u << width) - 1 - (width % 3 == 0), width);
  writer.finish();
  BitReader reader(bytes.data());
  for (int width = 1; width <= 15; ++width) {
    EXPECT_EQ(reader.take(width), (1u << width) - 1 - (width % 3 == 0));
  }
}

}  // namespace
}  // namespace echelon
