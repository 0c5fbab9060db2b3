#include "report/words.h"

namespace finstill::report {
namespace {

constexpr Words english{
    .language = "en",
    .title = "A small finance model",
    .how_good = "How good is it",
    .learning = "How it learned",
    .outcomes = "What kinds of answers",
    .cost = "What it costs",
    .worked_cases = "Three cases, worked",
    .changes = "Newly right, newly wrong",
    .provenance = "Where everything came from",
    .machine = "Machine",
    .lead_one =
        "On <b>{0}</b> the model <b>{1}</b> answers <b>{2}</b> of {3} cases exactly right "
        "(95 % interval {4} to {5}).",
    .lead_against = "{0}: {1}",
    .card_parameters = "parameters of {}, {} of {}",
    .card_hour = "cases an hour on this machine",
    .card_items = "cases a task",
    .no_scores = "The evaluation holds no results.",
    .scores_note =
        "Every system answered the same cases. Bars are exact answers, whiskers the Wilson 95 % "
        "interval. The majority answer is the constant one that is right most often. One model "
        "counts as better where p stays under 0.05 with Holm's correction for all comparisons "
        "here.",
    .exact_answers = "exact answers",
    .interval = "95 % interval",
    .macro_f1 = "macro F1",
    .few_shot = "{} examples in the prompt",
    .baseline = "no model",
    .of_items = "of {}",
    .items_correct = "correct",
    .student_share =
        "Of what the teacher gains over the majority answer on {0}, the student keeps {1} with {2} "
        "of the parameters.",
    .compared =
        "{0} against {1}: {2} cases only the first has right, {3} only the second; exact McNemar p "
        "{4}, corrected {5}: {6}.",
    .no_difference = "not distinguishable on these cases",
    .better = "the first is better",
    .worse = "the second is better",
    .equal_texts =
        "{} of {} test cases stand in the training examples made with them too, by their words.",
    .left_out = "{} records of its data were left out",
    .too_long = "{0}: {1} reference answers are longer than an answer could be.",
    .tokens_read = "tokens read",
    .loss = "loss",
    .validation = "validation",
    .model = "model",
    .task = "task",
    .prompt_tokens = "prompt tokens",
    .answer_tokens = "answer tokens",
    .tokens_per_correct = "tokens a correct answer",
    .seconds = "time",
    .cases_an_hour = "cases an hour",
    .trained_tokens = "tokens in the loss",
    .training_time = "training time",
    .tokens_per_second = "tokens a second",
    .memory = "peak memory",
    .question = "Question",
    .expected = "Expected",
    .answers = "Answers",
    .newly_right = "Newly right",
    .newly_wrong = "Newly wrong",
    .first_shown = "{0}, the first {1} shown",
    .none = "None.",
    .against = "{1} against {0}",
    .read_as = "",  // the graders' own sentences are English
    .stage = "stage",
    .kind = "kind",
    .identity = "identity",
    .made_from = "made from",
    .settings = "settings",
    .provenance_note =
        "The identity of a stage is a SHA-256 over its settings, the identities of its inputs and "
        "the hashes of its outputs. Equal identities mean equal results.",
    .right = "right",
    .wrong = "wrong",
    .unanswered = "unanswered",
    .truncated = "cut off",
    .malformed = "not in the form asked for",
    .unjudgeable = "cannot be judged",
    .generated_by =
        "Written by finstill {}. This page is one file and loads nothing from elsewhere.",
};

constexpr Words chinese{
    .language = "zh",
    .title = "小型金融模型",
    .how_good = "效果如何",
    .learning = "学习过程",
    .outcomes = "答案类型",
    .cost = "成本",
    .worked_cases = "三个实例",
    .changes = "新答对与新答错",
    .provenance = "来源与可追溯性",
    .machine = "机器",
    .lead_one =
        "在<b>{0}</b>任务上，模型<b>{1}</b>在 {3} 个案例中完全答对 <b>{2}</b>（95% "
        "置信区间 {4} 至 {5}）。",
    .lead_against = "{0}：{1}",
    .card_parameters = "{0} 的参数量，为 {2} 的 {1}",
    .card_hour = "本机每小时处理案例数",
    .card_items = "每项任务的案例数",
    .no_scores = "评测中没有结果。",
    .scores_note =
        "所有系统回答相同的案例。条形为完全正确率，须线为 Wilson 95% "
        "置信区间。多数类答案指最常正确的固定答案。经 Holm 法对本页全部比较校正后 p 仍低于 0.05，"
        "才视为更好。",
    .exact_answers = "完全正确率",
    .interval = "95% 区间",
    .macro_f1 = "宏平均 F1",
    .few_shot = "提示中含 {} 个示例",
    .baseline = "非模型",
    .of_items = "共 {}",
    .items_correct = "答对",
    .student_share = "在{0}上，学生模型以 {2} 的参数保留了教师模型相对多数类答案增益的 {1}。",
    .compared =
        "{0} 对 {1}：仅前者答对 {2} 例，仅后者答对 {3} 例；McNemar 精确检验 p {4}，校正后 "
        "{5}：{6}。",
    .no_difference = "在这些案例上无显著差异",
    .better = "前者更好",
    .worse = "后者更好",
    .equal_texts = "{1} 个测试案例中有 {0} 个（按词语）也出现在同时生成的训练样例中。",
    .left_out = "其数据中有 {} 条记录未被采用",
    .too_long = "{0}：有 {1} 个标准答案超出允许的回答长度。",
    .tokens_read = "已读词元数",
    .loss = "损失",
    .validation = "验证",
    .model = "模型",
    .task = "任务",
    .prompt_tokens = "提示词元",
    .answer_tokens = "回答词元",
    .tokens_per_correct = "每个正确答案的词元",
    .seconds = "用时",
    .cases_an_hour = "每小时案例数",
    .trained_tokens = "计入损失的词元数",
    .training_time = "训练用时",
    .tokens_per_second = "词元/秒",
    .memory = "内存峰值",
    .question = "问题",
    .expected = "标准答案",
    .answers = "各系统回答",
    .newly_right = "新答对",
    .newly_wrong = "新答错",
    .first_shown = "{0}，显示前 {1} 例",
    .none = "无。",
    .against = "{1} 相对 {0}",
    .read_as = "读作：{}",
    .stage = "阶段",
    .kind = "类型",
    .identity = "标识",
    .made_from = "输入",
    .settings = "设置",
    .provenance_note = "阶段标识是其设置、输入标识与输出哈希的 SHA-256。标识相同即结果相同。",
    .right = "正确",
    .wrong = "错误",
    .unanswered = "未作答",
    .truncated = "被截断",
    .malformed = "格式不符",
    .unjudgeable = "无法判定",
    .generated_by = "由 finstill {} 生成。本页为单一文件，不加载任何外部内容。",
};

}  // namespace

const Words& words(std::string_view language) {
  return language == "zh" ? chinese : english;
}

std::string_view outcome_word(const Words& words, std::string_view outcome) {
  if (outcome == "right") return words.right;
  if (outcome == "wrong") return words.wrong;
  if (outcome == "unanswered") return words.unanswered;
  if (outcome == "truncated") return words.truncated;
  if (outcome == "malformed") return words.malformed;
  return words.unjudgeable;
}

}  // namespace finstill::report
