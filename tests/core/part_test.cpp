#include "echelon/core/part.hpp"

#include <gtest/gtest.h>

#include "echelon/core/configuration.hpp"

namespace echelon {
namespace {

struct EngineOptions {
  double power = 2;

  void visit(OptionVisitor& visitor) { visitor("power", power, above(0), "of the engine"); }
};

struct Engine {
  std::string name, summary;
  std::vector<std::string> aliases{};
  PartOptions options{};
};

PartList<Engine>& engines() {
  static PartList<Engine> list(
      "engine", {{"steam", "slow", {"coal"}, EngineOptions{}}, {"sail", "free", {}, {}}});
  return list;
}

struct ShipOptions {
  std::int64_t masts = 1;
  Chosen<Engine> engine{engines(), "steam"};

  void visit(OptionVisitor& visitor) {
    visitor("masts", masts, at_least(0), "how many");
    engine.visit(visitor, "engine", "what moves it");
  }
};

struct Vehicle {
  std::string name, summary;
  std::vector<std::string> aliases{};
  PartOptions options{};
};

PartList<Vehicle>& vehicles() {
  static PartList<Vehicle> list(
      "vehicle", {{"ship", "on water", {"boat"}, ShipOptions{}}, {"sledge", "on snow", {}, {}}});
  return list;
}

std::string error_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return error.what();
  }
  return "none";
}

TEST(PartList, FindsNamesAndAliasesInAnyLetterCase) {
  EXPECT_EQ(vehicles().at("ship").name, "ship");
  EXPECT_EQ(vehicles().at("BOAT").name, "ship");
  EXPECT_EQ(vehicles().find("shi"), nullptr);
  EXPECT_EQ(error_of([] { vehicles().at("shi"); }),
            "there is no vehicle called `shi`; the nearest is `ship`");
}

TEST(PartList, TakesMorePartsButNoNameTwice) {
  PartList<Vehicle> list("vehicle", {{"ship", "on water", {"boat"}, {}}});
  const Vehicle* const ship = &list.at("ship");
  for (int i = 0; i < 100; ++i) list.add({"ship-" + std::to_string(i), "", {}, {}});
  EXPECT_EQ(&list.at("boat"), ship);
  EXPECT_EQ(list.size(), 101u);
  EXPECT_EQ(list.names().back(), "ship-99");
  for (const Vehicle& again : {Vehicle{"Ship", "", {}, {}}, Vehicle{"boat", "", {}, {}},
                               Vehicle{"raft", "", {"Boat"}, {}}}) {
    EXPECT_NE(error_of([&] { list.add(again); }).find("two vehicle parts"), std::string::npos);
  }
  EXPECT_EQ(list.size(), 101u);
}

TEST(Chosen, HasTheDefaultsOfItsPartAndCopiesThem) {
  Chosen<Vehicle> ship(vehicles(), "boat");
  EXPECT_EQ(ship->name, "ship");
  Chosen<Vehicle> copy = ship;
  copy.options().as<ShipOptions>().masts = 3;
  EXPECT_EQ(ship.as<ShipOptions>().masts, 1);
  EXPECT_EQ(vehicles().at("ship").options.as<ShipOptions>().masts, 1);
  EXPECT_THROW(Chosen<Vehicle>(vehicles(), "raft"), Error);
}

TEST(Chosen, IsSetByAProgramAndRefusedWhereItIsUsed) {
  Chosen<Vehicle> vehicle(vehicles(), "sledge");
  vehicle = "BOAT";
  EXPECT_EQ(vehicle->name, "ship");
  vehicle.set("masts", 7);
  EXPECT_EQ(vehicle.as<ShipOptions>().masts, 7);
  EXPECT_NE(error_of([&] { vehicle.set("mast", 7); }).find("ship has no option `mast`"),
            std::string::npos);
  EXPECT_NE(error_of([&] { vehicle.set("masts", 7.5); }).find("a whole number"), std::string::npos);
  vehicle = "ship";
  EXPECT_EQ(vehicle.as<ShipOptions>().masts, 1);  // the defaults again
  vehicle = "shi";
  EXPECT_EQ(error_of([&] { static_cast<void>(vehicle->name); }),
            "there is no vehicle called `shi`; the nearest is `ship`");
  EXPECT_NE(error_of([&] { vehicle.set("masts", 7); }).find("`shi`"), std::string::npos);
  vehicle = "ship";
  EXPECT_EQ(vehicle->name, "ship");
}

/// What remains of `given` once a vehicle of section `travel` has been read.
struct Read {
  explicit Read(const std::vector<std::pair<std::string, std::string>>& given) {
    for (const auto& [key, value] : given) configuration.set(key, value, "trip.ini:7");
    configuration.choose("travel", "by", vehicle, "the vehicle");
  }
  std::string refusal() const {
    return error_of([&] {
      configuration.require_all_read(
          {axis_of(engines(), "travel", "engine"), axis_of(vehicles(), "travel", "by")});
    });
  }

  Configuration configuration;
  Chosen<Vehicle> vehicle{vehicles(), "ship"};
};

TEST(Chosen, ReadsTheOptionsOfNestedParts) {
  const Read read({{"travel.by", "Boat"}, {"travel.engine", "coal"}, {"travel.power", "5"}});
  EXPECT_EQ(read.refusal(), "none");
  EXPECT_EQ(read.vehicle.as<ShipOptions>().engine->name, "steam");
  EXPECT_EQ(read.vehicle.as<ShipOptions>().engine.as<EngineOptions>().power, 5);
}

TEST(Chosen, ResolvesToAConfigurationThatReadsBackAsTheSame) {
  const Read read({{"travel.by", "BOAT"}, {"travel.masts", "2"}, {"travel.power", "0.1"}});
  const std::string resolved = read.configuration.resolved();
  EXPECT_EQ(resolved, "[travel]\nby = ship\nmasts = 2\nengine = steam\npower = 0.1\n");
  const Read again({{"travel.by", "ship"},
                    {"travel.masts", "2"},
                    {"travel.engine", "steam"},
                    {"travel.power", "0.1"}});
  EXPECT_EQ(again.refusal(), "none");
  EXPECT_EQ(again.configuration.resolved(), resolved);
}

TEST(RequireAllRead, SaysWhichPartsReadAnOptionAndWhichAreInUse) {
  EXPECT_EQ(Read({{"travel.engine", "sail"}, {"travel.power", "5"}}).refusal(),
            "trip.ini:7: travel.power is read by steam; this run uses sail");
  EXPECT_EQ(Read({{"travel.by", "sledge"}, {"travel.masts", "2"}}).refusal(),
            "trip.ini:7: travel.masts is read by ship; this run uses sledge");
  EXPECT_EQ(Read({{"travel.by", "sledge"}, {"travel.power", "2"}}).refusal(),
            "trip.ini:7: travel.power is read by steam, which are choices of travel.engine; "
            "travel.engine is read by ship; this run uses sledge");
}

TEST(RequireAllRead, NamesTheNearestOptionOfAnyPart) {
  EXPECT_EQ(Read({{"travel.by", "sledge"}, {"travel.mast", "2"}}).refusal(),
            "trip.ini:7: there is no option `travel.mast` in this composition; the nearest is "
            "`travel.masts`");
}

TEST(RequireAllRead, ReportsAllKeysAtOnce) {
  EXPECT_EQ(Read({{"travel.by", "sledge"}, {"travel.masts", "2"}, {"travel.bye", "x"}}).refusal(),
            "trip.ini:7: there is no option `travel.bye` in this composition; the nearest is "
            "`travel.by`\n"
            "trip.ini:7: travel.masts is read by ship; this run uses sledge");
}

struct Weather {
  double wind = 0;
  double gusts = 1;

  void visit(OptionVisitor& visitor) {
    visitor("wind", wind, at_least(0), "in knots");
    if (wind > 0) {
      visitor("gusts", gusts, at_least(1), "as multiples of the wind");
    } else {
      visitor.unread("gusts", "if wind is above 0");
    }
  }
};

TEST(RequireAllRead, SaysUnderWhichConditionAnOptionIsRead) {
  const auto refusal = [](const std::string& wind) {
    Configuration configuration;
    configuration.set("weather.wind", wind, "test");
    configuration.set("weather.gusts", "2", "test");
    Weather weather;
    configuration.read("weather", weather);
    return error_of([&] { configuration.require_all_read(); });
  };
  EXPECT_EQ(refusal("0"), "test: weather.gusts is read if wind is above 0");
  EXPECT_EQ(refusal("3"), "none");
}

struct Tide {
  bool sea = false;
  double height = 1;

  void visit(OptionVisitor& visitor) {
    visitor("sea", sea, "whether there is one");
    visitor("height", height, at_least(0), "in feet");
    if (!sea) visitor.unread("height", "if sea is yes");
  }
};

TEST(RequireAllRead, HelpShowsAnOptionThatWasVisitedBeforeItTurnedOutUnread) {
  const auto resolved = [](const std::string& sea, bool given) {
    Configuration configuration;
    configuration.set("tide.sea", sea, "test");
    if (given) configuration.set("tide.height", "2", "test");
    Tide tide;
    configuration.read("tide", tide);
    configuration.require_all_read();
    return configuration.resolved();
  };
  EXPECT_EQ(describe_options(Tide{}).size(), 2U);
  EXPECT_EQ(resolved("no", false), "[tide]\nsea = no\n");
  EXPECT_EQ(resolved("yes", true), "[tide]\nsea = yes\nheight = 2\n");
  EXPECT_EQ(error_of([&] { resolved("no", true); }), "test: tide.height is read if sea is yes");
}

TEST(Configuration, SuggestionsYieldToTheUserAndNeedNoReader) {
  Configuration configuration;
  configuration.set("weather.wind", "3", "user");
  configuration.suggest("weather.wind", "5", "preset");
  configuration.suggest("weather.gusts", "2", "preset");
  configuration.suggest("weather.rain", "yes", "preset");
  Weather weather;
  configuration.read("weather", weather);
  configuration.require_all_read();
  EXPECT_EQ(weather.wind, 3);
  EXPECT_EQ(weather.gusts, 2);
  EXPECT_FALSE(Configuration::unpacked(configuration.packed()).has("weather.gusts"));
}

TEST(Configuration, TakesFromAnotherSectionWhatOneDoesNotGive) {
  Configuration configuration;
  configuration.set("all.masts", "2", "test");
  configuration.set("all.power", "3", "test");
  configuration.set("all.sails", "3", "test");
  configuration.set("own.masts", "4", "test");
  ShipOptions options;
  configuration.read("own", options, "all");
  EXPECT_EQ(options.masts, 4);
  EXPECT_EQ(options.engine.as<EngineOptions>().power, 3);
  EXPECT_EQ(configuration.resolved(), "[own]\nmasts = 4\nengine = steam\npower = 3\n");
  // all.masts is beaten by own.masts, but it has its reader.
  EXPECT_EQ(error_of([&] { configuration.require_all_read(); }),
            "test: there is no option `all.sails` in this composition; the nearest is "
            "`own.masts`");
}

TEST(RequireInRange, ChecksWhatAProgramHasSet) {
  PartOptions options = EngineOptions{.power = -1};
  EXPECT_EQ(error_of([&] {
              require_in_range("travel", [&](OptionVisitor& visitor) { options.visit(visitor); });
            }),
            "travel.power = -1: out of range; choose a value in > 0");
}

}  // namespace
}  // namespace echelon
