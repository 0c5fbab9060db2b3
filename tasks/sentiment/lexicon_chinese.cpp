#include "tasks/sentiment/lexicon_tables.h"

namespace finstill::tasks::sentiment {

const Lexicon& chinese_lexicon() {
  static const Lexicon words = {
      .metrics = {{"净利润", true},
                  {"营收", true},
                  {"订单", true},
                  {"毛利率", true},
                  {"销量", true},
                  {"存款", true},
                  {"亏损", false},
                  {"成本", false},
                  {"负债", false},
                  {"坏账", false},
                  {"逾期", false},
                  {"费用", false}},
      .up_past = {"上升", "增长", "增加"},
      .down_past = {"下降", "减少", "回落"},
      .up_base = {"上升", "增长", "增加"},
      .down_base = {"下降", "减少", "回落"},
      .up_noun = {"上升", "增长", "增加"},
      .down_noun = {"下降", "减少", "回落"},
      .above = "高于",
      .below = "低于",
      .periods = {"一季度", "上半年", "三季度", "全年", "本月"},
      .name_starts = {"华", "盛", "恒", "安", "东", "金", "海", "天", "国", "中", "新", "远"},
      .name_ends = {"泰", "信", "通", "达", "源", "丰", "宁", "科", "能", "航"},
  };
  return words;
}

const Frames& chinese_frames(Split split) {
  static const Frames train = {
      .plain = {"{c}{m}{d.past}{n}%", "{c}{q}{m}{d.past}", "{c}：{m}{d.past}",
                "{q}{c}{m}{d.past}{n}%", "{c}的{m}{d.past}"},
      .expected = {"{c}{m}{x}预期", "{c}{q}{m}{x}预测", "{c}的{m}{x}此前估计"},
      .negated = {"{c}否认{m}将{d.base}", "{c}认为{m}不会{d.base}", "{c}称{m}不会{d.base}"},
      .contrast = {"虽然{m}{d.past}，{c}{M}{D.past}", "{c}{m}{d.past}，但是{M}{D.past}{n}%",
                   "尽管{m}{d.past}，{c}{M}还是{D.past}"},
      .offset = {"{c}{m}与{M}同时{d.past}，两相抵消", "{c}{m}和{M}都{d.past}，没有影响"},
      .flat = {"{c}{m}持平", "{c}{m}与{q}相同", "{q}{c}{m}不变"},
      .mention = {"{c}将公布{m}", "{c}将开会讨论{m}和{M}", "{c}说明{m}口径"},
      .event = {"{c}{e}", "{q}{c}{e}"},
  };
  static const Frames validation = {
      .plain = {"据悉，{c}{m}{d.past}"},
      .expected = {"{c}公告：{m}{x}市场预测"},
      .negated = {"{c}不认为{m}会{d.base}"},
      .contrast = {"{c}{m}{d.past}，不过{M}{D.past}"},
      .offset = {"{m}、{M}双双{d.past}，{c}影响相抵"},
      .flat = {"{c}{m}没有变化"},
      .mention = {"{c}调整{m}的披露格式"},
      .event = {"公告：{c}{e}"},
  };
  static const Frames test = {
      .plain = {"{q}{c}的{m}{d.past}{n}%", "{c}称{m}有所{d.past}"},
      .expected = {"{c}{q}{m}{x}分析师估计"},
      .negated = {"{c}表示{m}不会{d.base}"},
      .contrast = {"尽管{m}{d.past}，{c}的{M}仍{D.past}", "{c}{m}{d.past}，但{M}{D.past}"},
      .offset = {"{c}的{m}和{M}都{d.past}，总体影响为零"},
      .flat = {"{q}{c}{m}与上年相同"},
      .mention = {"{c}开会讨论{m}"},
      .event = {"今日{c}{e}"},
  };
  return split == Split::train ? train : split == Split::validation ? validation : test;
}

const std::vector<Event>& chinese_events(Split split) {
  static const std::vector<Event> train = {
      {"中标大单", 1},  {"提高分红", 1},  {"评级上调", 1},    {"提前还款", 1},  {"签下新客户", 1},
      {"获奖", 1},      {"丢失大单", -1}, {"削减分红", -1},   {"评级下调", -1}, {"被罚款", -1},
      {"贷款违约", -1}, {"被调查", -1},   {"召开年会", 0},    {"搬迁总部", 0},  {"更换标志", 0},
      {"任命秘书", 0},  {"部门改名", 0},  {"公布年会日期", 0}};
  static const std::vector<Event> validation = {{"胜诉", 1},     {"获得专利", 1},
                                                {"败诉", -1},    {"账户被冻结", -1},
                                                {"更新网站", 0}, {"参加展会", 0}};
  static const std::vector<Event> test = {{"签下大合同", 1}, {"获政府奖励", 1},
                                          {"债券违约", -1},  {"被立案调查", -1},
                                          {"更名部门", 0},   {"公布会议日期", 0}};
  return split == Split::train ? train : split == Split::validation ? validation : test;
}

}  // namespace finstill::tasks::sentiment
