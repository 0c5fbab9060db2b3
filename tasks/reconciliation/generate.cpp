#include "tasks/reconciliation/generate.h"

#include "base/random.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

namespace finstill::tasks::reconciliation {
namespace {

constexpr std::uint64_t deck = 20;

std::string stream(std::string_view purpose, Split split) {
  return fmt::format("reconciliation/{}/{}", purpose, split_name(split));
}

/// What the decks say about example `index`: nullopt = clean, else the type of its first break.
std::optional<BreakType> deal(const Config& config, const Shape& shape, Split split,
                              std::uint64_t seed, std::uint64_t index) {
  std::vector<std::uint64_t> cards(deck);
  std::iota(cards.begin(), cards.end(), 0);
  base::Random(seed, stream("clean", split), index / deck).shuffle(cards);
  const auto clean = static_cast<std::uint64_t>(std::llround(config.clean * deck));
  const std::uint64_t card = cards[index % deck];
  if (card < clean) return std::nullopt;
  const std::uint64_t broken = index / deck * (deck - clean) + (card - clean);
  std::vector<BreakType> types = shape.types;
  base::Random(seed, stream("type", split), broken / types.size()).shuffle(types);
  return types[broken % types.size()];
}

class Generator {
 public:
  Generator(const Shape& shape, Split split, base::Random& random)
      : shape_(shape), split_(split), random_(random) {}

  Truth books(std::optional<BreakType> first) {
    std::int64_t rows = random_.integer(shape_.rows_min, shape_.rows_max);
    if (first == BreakType::extra && rows > shape_.rows_min) --rows;
    for (std::int64_t row = 0; row < rows; ++row) truth_.custodian.positions.push_back(position());
    truth_.custodian.fee = amount(99);
    if (shape_.with_accrued) truth_.custodian.accrued = amount(999);
    truth_.manager = truth_.custodian;
    for (Position& position : truth_.manager.positions) position.previous = 0;
    if (first) {
      apply(*first);
      const auto most = split_ == Split::train ? shape_.training_breaks : shape_.breaks_max;
      const std::int64_t more = random_.integer(0, most - 1);
      for (std::int64_t extra = 0; extra < more; ++extra) apply(random_.pick(shape_.types));
    }
    return truth_;
  }

 private:
  Figure amount(Figure largest) {
    const Figure whole = random_.integer(2, largest) * figure_one;
    return shape_.decimals ? whole + random_.integer(0, 99) * (figure_one / 100) : whole;
  }

  std::string key() {
    static constexpr std::string_view letters = "ABCDEFGHJKLMNPQRSTUVWXYZ";
    Figure end = 1;
    for (std::int64_t digit = 0; digit < shape_.key_digits; ++digit) end *= 10;
    for (;;) {
      std::string key;
      for (std::int64_t letter = 0; letter < shape_.key_letters; ++letter) {
        key += letters[random_.below(letters.size())];
      }
      key += std::to_string(random_.integer(end / 10, end - 1));
      if (split_of_key(key) == split_ && keys_.insert(key).second) return key;
    }
  }

  Position position() {
    Position position;
    position.key = position.shown = key();
    position.quantity = random_.integer(2, shape_.quantity_max) * figure_one;
    position.price = amount(shape_.price_max);
    if (shape_.with_previous) position.previous = moved(position.price);
    if (shape_.with_value) restate(position);
    return position;
  }

  void restate(Position& position) const {
    position.value = position.quantity / figure_one * position.price;
  }

  /// Another positive figure near `old`: up to 9 units away.
  Figure moved(Figure old) {
    for (;;) {
      const Figure next = old + random_.integer(-9, 9) * figure_one;
      if (next != old && next >= figure_one) return next;
    }
  }

  /// A position that no break has touched yet, or null.
  Position* untouched() {
    std::vector<Position*> free;
    for (Position& position : truth_.manager.positions) {
      if (!touched_.contains(position.key)) free.push_back(&position);
    }
    if (free.empty()) return nullptr;
    Position* chosen = random_.pick(free);
    touched_.insert(chosen->key);
    return chosen;
  }

  void apply(BreakType type) {
    Book& manager = truth_.manager;
    if (type == BreakType::fee) {
      if (manager.fee == truth_.custodian.fee) manager.fee = moved(manager.fee);
    } else if (type == BreakType::accrual) {
      if (manager.accrued == truth_.custodian.accrued) manager.accrued = moved(manager.accrued);
    } else if (type == BreakType::extra) {
      Position more = position();
      more.previous = 0;
      touched_.insert(more.key);
      const auto at = random_.integer(0, static_cast<std::int64_t>(manager.positions.size()));
      manager.positions.insert(manager.positions.begin() + at, more);
    } else if (Position* position = untouched()) {
      if (type == BreakType::missing) {
        if (manager.positions.size() > 1)
          manager.positions.erase(manager.positions.begin() +
                                  (position - manager.positions.data()));
      } else {
        change(*position, type);
      }
    }
  }

  void change(Position& position, BreakType type) {
    const Figure old = position.price;
    const auto& custodian = truth_.custodian.positions;
    const Figure previous =
        std::find_if(custodian.begin(), custodian.end(), [&](const Position& ours) {
          return ours.key == position.key;
        })->previous;
    switch (type) {
      case BreakType::quantity:
        position.quantity = moved(position.quantity);
        break;
      case BreakType::sign:
        position.quantity = -position.quantity;
        break;
      case BreakType::stale:
        position.price = previous;
        break;
      case BreakType::price:
        do position.price = moved(old);
        while (position.price == 100 * old || position.price == previous);
        break;
      case BreakType::unit:
        position.price = 100 * old;
        return;  // the value was worked out in whole units
      case BreakType::value:
        position.value = moved(position.value);
        return;
      default:
        return;
    }
    if (shape_.with_value) restate(position);
  }

  const Shape& shape_;
  Split split_;
  base::Random& random_;
  Truth truth_;
  std::set<std::string> keys_, touched_;
};

/// Another way to write a key; the forms of the test split are its own.
std::string alias_of(const Position& position, const Shape& shape, Split split,
                     base::Random& random) {
  const std::string letters = position.key.substr(0, static_cast<std::size_t>(shape.key_letters));
  const std::string digits = position.key.substr(letters.size());
  std::string small = letters;
  for (char& c : small) c = static_cast<char>(c - 'A' + 'a');
  const std::vector<std::string> forms =
      split == Split::train ? std::vector{letters + "-" + digits, digits + letters, small + digits}
      : split == Split::validation
          ? std::vector{letters + "/" + digits, digits + "." + letters}
          : std::vector{letters + "." + digits, digits + "-" + letters, small + "-" + digits};
  return random.pick(forms);
}

void write_aliases(Truth& truth, const Shape& shape, Split split, base::Random& random) {
  auto& positions = truth.manager.positions;
  std::vector<Position*> common;
  for (Position& position : positions) {
    const auto& ours = truth.custodian.positions;
    if (std::any_of(ours.begin(), ours.end(),
                    [&](const Position& other) { return other.key == position.key; })) {
      common.push_back(&position);
    }
  }
  random.shuffle(common);
  const auto most = std::max<std::int64_t>(1, static_cast<std::int64_t>(common.size()) / 2);
  const auto count =
      std::min<std::int64_t>(random.integer(1, most), static_cast<std::int64_t>(common.size()));
  for (std::int64_t row = 0; row < count; ++row) {
    Position& position = *common[static_cast<std::size_t>(row)];
    position.shown = alias_of(position, shape, split, random);
  }
}

}  // namespace

Split split_of_key(std::string_view key) {
  std::uint64_t number = 0;
  for (const char c : key) {
    if (c >= '0' && c <= '9')
      number = number * 10 + static_cast<std::uint64_t>(c - '0');
    else
      number += static_cast<std::uint64_t>(c);
  }
  const std::uint64_t slot = number % 7;
  return slot == 0 ? Split::validation : slot <= 2 ? Split::test : Split::train;
}

Truth make_truth(const Config& config, const Shape& shape, Split split, std::uint64_t seed,
                 std::uint64_t index) {
  base::Random random(seed, stream("books", split), index);
  Truth truth = Generator(shape, split, random).books(deal(config, shape, split, seed, index));
  if (random.chance(config.swapped)) random.shuffle(truth.manager.positions);
  if (random.chance(config.aliases)) write_aliases(truth, shape, split, random);
  return truth;
}

}  // namespace finstill::tasks::reconciliation
