#include "text/chat_mask.h"

#include <algorithm>

namespace finstill::text {

namespace {

struct Fragment {
  std::size_t begin = 0, end = 0;
  jinja::Origin origin = jinja::template_origin;
};

struct Region {
  std::size_t begin = 0, end = 0;
};

std::vector<Fragment> pieces_of(const jinja::TrackedText& text) {
  if (text.empty()) return {};
  if (text.runs().empty()) return {{0, text.size(), jinja::template_origin}};
  std::vector<Fragment> pieces;
  std::size_t begin = 0;
  for (const auto& run : text.runs()) {
    pieces.push_back({begin, run.end, run.origin});
    begin = run.end;
  }
  return pieces;
}

bool trains(std::span<const Message> messages, int index) {
  return index >= 0 && static_cast<std::size_t>(index) < messages.size() &&
         messages[static_cast<std::size_t>(index)].trained;
}

/// Neighbouring pieces inside generation blocks; a stretch that says what an untrained message says
/// is left out.
std::vector<Region> block_regions(const std::vector<Fragment>& pieces,
                                  std::span<const Message> messages) {
  std::vector<Region> regions;
  for (std::size_t i = 0; i < pieces.size();) {
    if ((pieces[i].origin & jinja::generation_bit) == 0) {
      ++i;
      continue;
    }
    Region region{pieces[i].begin, pieces[i].end};
    bool trained = true;
    for (; i < pieces.size() && (pieces[i].origin & jinja::generation_bit) != 0; ++i) {
      region.end = pieces[i].end;
      if (is_body(pieces[i].origin))
        trained = trained && trains(messages, message_of(pieces[i].origin));
    }
    if (trained) regions.push_back(region);
  }
  return regions;
}

/// Where in the gap before an answer the answer's own text begins; npos when the marks are not
/// there.
std::size_t turn_start(std::string_view gap, const TurnMarks& marks) {
  for (const std::string& mark : {marks.opening, marks.after_question}) {
    const std::size_t found = mark.empty() ? std::string_view::npos : gap.rfind(mark);
    if (found == std::string_view::npos) continue;
    const std::size_t start = found + mark.size();
    // A turn that ended in between was another one, of which nothing else is left.
    if (find_ending(gap.substr(start), marks.endings).first == std::string_view::npos) return start;
  }
  return std::string_view::npos;
}

/// What an assistant's message says, widened to the whole turn: back to the end of the generation
/// prompt in the gap before it, forward through the first ending in the gap behind it.
std::vector<Region> turn_regions(std::string_view text, const std::vector<Fragment>& pieces,
                                 std::span<const Message> messages, const TurnMarks& marks) {
  std::vector<Region> regions;
  std::vector<Fragment> bodies;  // neighbouring pieces of one message joined across what the
                                 // template writes between them
  for (const Fragment& piece : pieces) {
    if (!is_body(piece.origin)) continue;
    if (!bodies.empty() && message_of(bodies.back().origin) == message_of(piece.origin)) {
      bodies.back().end = piece.end;
    } else {
      bodies.push_back(piece);
    }
  }
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    const int index = message_of(bodies[i].origin);
    if (!trains(messages, index) || messages[static_cast<std::size_t>(index)].role != "assistant")
      continue;
    Region region{bodies[i].begin, bodies[i].end};
    const std::size_t before = i == 0 ? 0 : bodies[i - 1].end;
    const std::size_t start = turn_start(text.substr(before, region.begin - before), marks);
    if (start != std::string_view::npos) region.begin = before + start;
    const std::size_t after = i + 1 < bodies.size() ? bodies[i + 1].begin : text.size();
    const std::size_t ending =
        find_ending(text.substr(region.end, after - region.end), marks.endings).first;
    if (ending != std::string_view::npos) region.end += ending;
    regions.push_back(region);
  }
  return regions;
}

ChatSpan span_of(const Fragment& piece, std::size_t begin, std::size_t end, bool trained) {
  ChatSpan span;
  span.begin = begin;
  span.end = end;
  span.trained = trained;
  span.message = message_of(piece.origin);
  const jinja::Origin origin = piece.origin & ~jinja::generation_bit;
  span.origin = span.message >= 0        ? ChatSpan::Origin::from_message
                : origin == input_origin ? ChatSpan::Origin::from_input
                                         : ChatSpan::Origin::from_template;
  span.is_label = span.message >= 0 && !is_body(piece.origin);
  return span;
}

void add_span(std::vector<ChatSpan>& spans, const ChatSpan& span) {
  if (span.begin == span.end) return;
  if (!spans.empty() && spans.back().origin == span.origin &&
      spans.back().message == span.message && spans.back().is_label == span.is_label &&
      spans.back().trained == span.trained) {
    spans.back().end = span.end;
  } else {
    spans.push_back(span);
  }
}

}  // namespace

std::pair<std::size_t, std::string> find_ending(std::string_view text,
                                                const std::vector<std::string>& endings) {
  std::pair<std::size_t, std::string> best = {std::string_view::npos, ""};
  for (const std::string& ending : endings) {
    const std::size_t found = ending.empty() ? std::string_view::npos : text.find(ending);
    if (found != std::string_view::npos && found + ending.size() < best.first)
      best = {found + ending.size(), ending};
  }
  return best;
}

jinja::Origin message_origin(std::size_t message, MessagePart part) {
  return static_cast<jinja::Origin>(2 + 2 * message + (part == MessagePart::body ? 1 : 0));
}

int message_of(jinja::Origin origin) {
  origin &= ~jinja::generation_bit;
  return origin < 2 ? -1 : static_cast<int>((origin - 2) / 2);
}

bool is_body(jinja::Origin origin) {
  return message_of(origin) >= 0 && (origin & 1) == 1;
}

std::vector<ChatSpan> mark_spans(const jinja::TrackedText& text, std::span<const Message> messages,
                                 bool by_blocks, const TurnMarks& marks) {
  const std::vector<Fragment> pieces = pieces_of(text);
  const std::vector<Region> regions = by_blocks
                                          ? block_regions(pieces, messages)
                                          : turn_regions(text.view(), pieces, messages, marks);
  std::vector<ChatSpan> spans;
  auto region = regions.begin();
  for (const Fragment& piece : pieces) {
    for (std::size_t at = piece.begin; at < piece.end;) {
      while (region != regions.end() && region->end <= at) ++region;
      const bool inside = region != regions.end() && region->begin <= at;
      const std::size_t next = region == regions.end() ? piece.end
                               : inside                ? region->end
                                                       : region->begin;
      const std::size_t end = std::min(piece.end, next);
      add_span(spans, span_of(piece, at, end, inside));
      at = end;
    }
  }
  return spans;
}

}  // namespace finstill::text
