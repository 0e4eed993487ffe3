#include "cli/terminal/line_editor.h"

#include <histedit.h>
#include <langinfo.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "cli/output/output.h"
#include "cli/terminal/external_editor.h"
#include "core/base/error.h"
#include "core/base/text.h"

namespace trivium::cli {
namespace {

constexpr int kHistoryLines = 2000;
constexpr int kTick = 1000;  // milliseconds after which the status of what goes on is read again
constexpr size_t kMaxPaste = size_t{1} << 20;
constexpr wchar_t kReplacement = 0xFFFD;
// What a terminal puts around a paste, behind ESC.
constexpr std::string_view kPasteBegin = "[200~", kPasteEnd = "[201~";
constexpr wchar_t kEscapeMark = L'\1';  // brackets what takes no room in the prompt

// wchar_t is a code point on the systems that trivium runs on.
std::wstring widen(std::string_view utf8) {
  const std::string valid = replace_invalid_utf8(utf8);
  std::wstring wide;
  for (size_t i = 0; i < valid.size();) wide += static_cast<wchar_t>(next_code_point(valid, i));
  return wide;
}

std::string narrow(std::wstring_view wide) {
  std::string utf8;
  for (const wchar_t c : wide) append_utf8(utf8, static_cast<CodePoint>(c));
  return replace_invalid_utf8(utf8);
}

// `prompt` with its escape sequences for colour, "ESC [ … m", bracketed for libedit.
std::wstring mark_escapes(std::string_view prompt) {
  std::wstring marked;
  bool escape = false;
  for (const wchar_t c : widen(prompt)) {
    if (c == L'\x1b') {
      marked += kEscapeMark;
      escape = true;
    }
    marked += c;
    if (escape && c == L'm') {
      marked += kEscapeMark;
      escape = false;
    }
  }
  return marked;
}

// What may be pasted or edited, on one line.
void put_on_one_line(std::wstring& text) {
  for (wchar_t& character : text) {
    if (character < L' ' || character == 0x7F) character = L' ';
  }
}

std::string common_prefix(const std::vector<std::string>& words) {
  std::string prefix = words.front();
  for (const std::string& word : words) {
    const auto end = std::mismatch(prefix.begin(), prefix.end(), word.begin(), word.end()).first;
    prefix.erase(end, prefix.end());
  }
  return prefix;
}

}  // namespace

struct LineEditor::Impl {
  Impl(InterruptWatch& interrupts, LineHistory& history, Completer completer,
       const TerminalStyle& style, Background* background);
  ~Impl();

  // libedit's callbacks, which find the Impl in its client data.
  static Impl& of(EditLine* editor);
  static wchar_t* prompt_text(EditLine* editor) { return of(editor).prompt.data(); }
  static wchar_t* status_text(EditLine* editor) { return of(editor).status.data(); }
  static int read_character(EditLine* editor, wchar_t* c) { return of(editor).read(c); }
  static unsigned char complete(EditLine* editor, int) { return of(editor).complete_at_cursor(); }
  static unsigned char paste(EditLine* editor, int) { return of(editor).insert_paste(); }
  static unsigned char edit(EditLine* editor, int) { return of(editor).open_editor(); }

  enum class Input { kByte, kEnd, kInterrupt, kNothingYet };
  int read(wchar_t* c);
  Input next_byte(unsigned char& byte, int milliseconds);
  bool act_on(int signal);
  bool add_byte(unsigned char byte, wchar_t* c);
  bool is_searching() const;
  bool takes_paste_mark(std::string_view mark);
  unsigned char complete_at_cursor();
  unsigned char insert_paste();
  unsigned char open_editor();
  unsigned char enter_lines(const std::string& text);
  bool show_news();
  void read_status();
  std::string to_line_begin() const;
  bool show(const std::string& text);
  void remember(const std::string& line);
  void leave_terminal() { el_wset(editor, EL_PREP_TERM, 0); }
  void enter_terminal() {
    el_wset(editor, EL_PREP_TERM, 1);
    el_wset(editor, EL_REFRESH);
  }

  InterruptWatch& interrupts;
  LineHistory& history;
  Completer completer;
  const TerminalStyle& style;
  Background* background;  // or nullptr
  EditLine* editor = nullptr;
  HistoryW* lines = nullptr;
  std::string plain_prompt;
  std::wstring prompt, status;
  std::string several_lines;     // what an editor left, where that is no single line
  std::string partial;           // the bytes of a character that has begun
  std::string ahead;             // bytes that were read too early
  bool in_search_paste = false;  // what comes is pasted into the search for a line
  bool interrupted = false;
  std::exception_ptr failure;   // what a callback met: libedit's C code lets no exception through
  bool brackets_paste = false;  // whether the terminal can be asked to mark what is pasted
};

LineEditor::Impl::Impl(InterruptWatch& interrupts, LineHistory& history, Completer completer,
                       const TerminalStyle& style, Background* background)
    : interrupts(interrupts),
      history(history),
      completer(std::move(completer)),
      style(style),
      background(background) {
  // libedit asks the locale which characters it can show, and how wide they are. What is typed is
  // read as UTF-8, so that a locale of another character set, as containers have, would lose it.
  const bool chosen = std::setlocale(LC_CTYPE, "") != nullptr;
  if (!chosen || std::string_view(::nl_langinfo(CODESET)) != "UTF-8") {
    std::setlocale(LC_CTYPE, "C.UTF-8");
  }
  editor = el_init("trivium", stdin, stdout, stderr);
  lines = history_winit();
  check(editor != nullptr && lines != nullptr, "libedit starts");
  HistEventW event;
  history_w(lines, &event, H_SETSIZE, kHistoryLines);
  history_w(lines, &event, H_SETUNIQUE, 1);
  for (const std::string& line : history.lines()) remember(line);
  el_wset(editor, EL_CLIENTDATA, this);
  el_wset(editor, EL_PROMPT_ESC, &Impl::prompt_text, kEscapeMark);
  el_wset(editor, EL_RPROMPT_ESC, &Impl::status_text, kEscapeMark);
  el_wset(editor, EL_EDITOR, L"emacs");
  el_wset(editor, EL_HIST, history_w, lines);
  el_wset(editor, EL_GETCFN, &Impl::read_character);
  el_wset(editor, EL_ADDFN, L"trivium-complete", L"completes a command or name", &Impl::complete);
  el_wset(editor, EL_ADDFN, L"trivium-paste", L"inserts pasted text", &Impl::paste);
  el_wset(editor, EL_ADDFN, L"trivium-edit", L"opens an editor on the line", &Impl::edit);
  const wchar_t* const bindings[][2] = {
      {L"^I", L"trivium-complete"},       {L"^R", L"em-inc-search-prev"},
      {L"^G", L"trivium-edit"},           {L"\\e[200~", L"trivium-paste"},
      {L"\\e[1;5D", L"ed-prev-word"},     {L"\\e[1;5C", L"em-next-word"},
      {L"\\e[3~", L"ed-delete-next-char"}};
  for (const auto& [key, function] : bindings) {
    el_wset(editor, EL_BIND, key, function, static_cast<wchar_t*>(nullptr));
  }
  const char* terminal = std::getenv("TERM");
  brackets_paste = terminal != nullptr && std::string_view(terminal) != "dumb";
  el_source(editor, nullptr);  // the user's own ~/.editrc
}

LineEditor::Impl::~Impl() {
  el_end(editor);
  history_wend(lines);
}

LineEditor::Impl& LineEditor::Impl::of(EditLine* editor) {
  Impl* impl = nullptr;
  el_wget(editor, EL_CLIENTDATA, &impl);
  return *impl;
}

void LineEditor::Impl::remember(const std::string& line) {
  HistEventW event;
  history_w(lines, &event, H_ENTER, widen(line).c_str());
}

// The next byte within so many milliseconds; -1: however long it takes.
LineEditor::Impl::Input LineEditor::Impl::next_byte(unsigned char& byte, int milliseconds) {
  if (!ahead.empty()) {
    byte = static_cast<unsigned char>(ahead.front());
    ahead.erase(0, 1);
    return Input::kByte;
  }
  for (;;) {
    // News would be drawn over the search for a line: it waits until that has ended.
    const int news = background != nullptr && !is_searching() ? background->descriptor() : -1;
    pollfd ready[] = {
        {STDIN_FILENO, POLLIN, 0}, {interrupts.descriptor(), POLLIN, 0}, {news, POLLIN, 0}};
    const bool ticks = news >= 0 && milliseconds < 0;
    const int count = ::poll(ready, 3, ticks ? kTick : milliseconds);
    if (count == 0 && ticks) {
      if (!show_news()) return Input::kEnd;
      continue;
    }
    if (count == 0) return Input::kNothingYet;
    if (count < 0) {
      if (errno == EINTR) continue;
      return Input::kEnd;
    }
    if (ready[1].revents != 0) {
      const int signal = interrupts.next_signal();
      if (signal != 0 && !act_on(signal)) return Input::kInterrupt;
      continue;
    }
    if (ready[2].revents != 0) {
      if (!show_news()) return Input::kEnd;
      if (ready[0].revents == 0) continue;
    }
    const ssize_t got = ::read(STDIN_FILENO, &byte, 1);
    if (got < 0 && errno == EINTR) continue;
    return got > 0 ? Input::kByte : Input::kEnd;
  }
}

// 1: a character; 0: the end; -1: Ctrl-C.
int LineEditor::Impl::read(wchar_t* c) {
  for (;;) {
    unsigned char byte = 0;
    const Input input = next_byte(byte, -1);
    if (input == Input::kInterrupt) return -1;
    if (input != Input::kByte) return 0;
    if (byte == 0x1B && partial.empty() && (in_search_paste || is_searching())) {
      if (takes_paste_mark(in_search_paste ? kPasteEnd : kPasteBegin)) {
        in_search_paste = !in_search_paste;
        continue;
      }
      if (interrupted) return -1;
    }
    if (in_search_paste && (byte < 0x20 || byte == 0x7F)) byte = ' ';  // no key of the search
    if (add_byte(byte, c)) return 1;
  }
}

// Whether the search for an earlier line goes on. It reads keys by itself, without the bindings,
// and shows its pattern behind a newline, which no line has otherwise.
bool LineEditor::Impl::is_searching() const {
  const LineInfoW* line = el_wline(editor);
  return std::find(line->buffer, line->lastchar, L'\n') != line->lastchar;
}

// After ESC: whether the rest of the mark follows, which then is taken. The bytes of anything else
// are kept for later.
bool LineEditor::Impl::takes_paste_mark(std::string_view mark) {
  constexpr int kPatience = 50;  // milliseconds; a terminal writes a mark at once
  std::string read;
  while (read.size() < mark.size()) {
    unsigned char byte = 0;
    if (next_byte(byte, kPatience) != Input::kByte) break;
    read += static_cast<char>(byte);
    if (!mark.starts_with(read)) break;
  }
  if (read == mark) return true;
  ahead.insert(0, read);
  return false;
}

// Returns whether to go on with the line.
bool LineEditor::Impl::act_on(int signal) {
  switch (signal) {
    case SIGINT:
      interrupted = true;
      return false;
    case SIGWINCH:
      el_resize(editor);
      return true;
    case SIGTSTP:
      leave_terminal();
      ::raise(SIGSTOP);
      enter_terminal();
      return true;
    default:  // SIGTERM, SIGHUP
      leave_terminal();
      ::signal(signal, SIG_DFL);
      ::raise(signal);
      return false;
  }
}

// Whether `byte` completes a character, which then is in `c`. A byte that is no part of a character
// is U+FFFD, and takes none of its neighbours with it.
bool LineEditor::Impl::add_byte(unsigned char byte, wchar_t* c) {
  const bool continues = (byte & 0xC0) == 0x80;
  if (!partial.empty() && !continues) {
    ahead.insert(ahead.begin(), static_cast<char>(byte));
    partial.clear();
    *c = kReplacement;
    return true;
  }
  partial += static_cast<char>(byte);
  const auto lead = static_cast<unsigned char>(partial.front());
  const bool is_lead = lead >= 0xC2 && lead <= 0xF4;
  const size_t length = !is_lead ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (partial.size() < length) return false;
  *c = widen(partial).front();
  partial.clear();
  return true;
}

unsigned char LineEditor::Impl::complete_at_cursor() {
  const LineInfoW* line = el_wline(editor);
  const std::string before = narrow({line->buffer, line->cursor});
  Completion completion = completer(before);
  if (completion.choices.empty()) return CC_REFRESH_BEEP;
  const std::string typed = before.substr(before.size() - completion.replaced);
  const bool unique = completion.choices.size() == 1;
  std::string text = common_prefix(completion.choices);
  // Behind a folder, a stack or a setting's name more of the same word follows.
  if (unique && !text.empty() && std::string_view("/=.").find(text.back()) == std::string::npos) {
    text += ' ';
  }
  if (!unique && text.size() <= typed.size()) {
    return show('\n' + in_columns(completion.choices, style)) ? CC_REDISPLAY : CC_EOF;
  }
  el_deletestr(editor, static_cast<int>(widen(typed).size()));
  el_winsertstr(editor, widen(text).c_str());
  return CC_REFRESH;
}

// Returns whether `text` could be written; where not, the line ends and read_line says why.
bool LineEditor::Impl::show(const std::string& text) {
  try {
    write_output(text);
    return true;
  } catch (const Error&) {
    failure = std::current_exception();
    return false;
  }
}

// The terminal brackets what is pasted, so that its newlines do not end the line: they become
// spaces.
unsigned char LineEditor::Impl::insert_paste() {
  const std::wstring end = L"\x1b[201~";
  std::wstring text;
  wchar_t c = 0;
  bool is_whole = true;  // or the input ended, or Ctrl-C came: the line ends with what there is
  while (is_whole && !text.ends_with(end)) {
    is_whole = el_wgetc(editor, &c) == 1;
    if (is_whole) text += c;
    // What is too much is cut, but the end must be recognised.
    if (text.size() > kMaxPaste) text.erase(kMaxPaste - end.size(), 1);
  }
  if (is_whole) text.erase(text.size() - end.size());
  put_on_one_line(text);
  el_winsertstr(editor, text.c_str());
  return is_whole ? CC_REFRESH : CC_EOF;
}

unsigned char LineEditor::Impl::open_editor() {
  const LineInfoW* line = el_wline(editor);
  const std::string before = narrow({line->buffer, line->lastchar});
  std::string after = before, problem;
  leave_terminal();
  if (brackets_paste && !show("\x1b[?2004l")) return CC_EOF;
  try {
    after = edit_in_editor(before);
  } catch (const Error& e) {
    problem = std::string("\nerror: ") + e.what() + '\n';
  }
  el_wset(editor, EL_PREP_TERM, 1);
  if (!show((brackets_paste ? "\x1b[?2004h" : "") + sanitise(problem))) return CC_EOF;
  if (after.find('\n') != std::string::npos) return enter_lines(after);
  std::wstring text = widen(after);
  put_on_one_line(text);
  el_wreplacestr(editor, text.c_str());
  el_cursor(editor, static_cast<int>(text.size()));
  return problem.empty() ? CC_REFRESH : CC_REDISPLAY;
}

// Ends the line with a text that it cannot hold.
unsigned char LineEditor::Impl::enter_lines(const std::string& text) {
  several_lines = text;
  std::string shown = to_line_begin() + plain_prompt;
  for (const char c : sanitise(text)) shown += c == '\n' ? "\n... " : std::string(1, c);
  return show(shown + '\n') ? CC_NEWLINE : CC_EOF;
}

// Takes the cursor to where the prompt begins, and clears what is there and below.
std::string LineEditor::Impl::to_line_begin() const {
  if (!brackets_paste) return "\n";  // a terminal without escape sequences
  const LineInfoW* line = el_wline(editor);
  std::wstring visible;
  bool escape = false;
  for (const wchar_t c : prompt) {
    if (c == kEscapeMark) escape = !escape;
    if (c != kEscapeMark && !escape) visible += c;
  }
  visible.append(line->buffer, line->cursor);
  const size_t rows = display_width(narrow(visible)) / std::max<size_t>(1, style.width);
  return (rows > 0 ? "\x1b[" + std::to_string(rows) + 'A' : "") + "\r\x1b[J";
}

// Prints what is new above the line, and the line anew. Returns as show().
bool LineEditor::Impl::show_news() {
  const std::string news = background->news();
  read_status();
  if (news.empty() && !brackets_paste) return true;
  if (!show(to_line_begin() + news)) return false;
  el_wset(editor, EL_REFRESH);
  return true;
}

void LineEditor::Impl::read_status() {
  status.clear();
  if (background == nullptr || !brackets_paste) return;
  const std::string text = cut(sanitise(background->status()), style.width / 2, style);
  if (!text.empty()) status = mark_escapes(paint(text, Ink::kDim, style));
}

LineEditor::LineEditor(InterruptWatch& interrupts, LineHistory& history, Completer completer,
                       const TerminalStyle& style, Background* background)
    : impl_(std::make_unique<Impl>(interrupts, history, std::move(completer), style, background)) {}

LineEditor::~LineEditor() = default;

LineEditor::Result LineEditor::read_line(const std::string& prompt) {
  Impl& impl = *impl_;
  impl.interrupts.clear();
  const InterruptWatch::Scope scope({SIGWINCH, SIGTSTP, SIGTERM, SIGHUP});
  impl.interrupted = false;
  impl.partial.clear();
  impl.in_search_paste = false;
  impl.plain_prompt = prompt;
  impl.prompt = mark_escapes(prompt);
  impl.several_lines.clear();
  impl.read_status();
  impl.failure = nullptr;
  if (impl.brackets_paste) write_output("\x1b[?2004h");
  int length = 0;
  // Before the prompt is there: libedit itself shows it first, and what is typed in between would
  // be edited by the terminal.
  el_wset(impl.editor, EL_PREP_TERM, 1);
  const wchar_t* text = el_wgets(impl.editor, &length);
  if (impl.failure) std::rethrow_exception(impl.failure);
  if (impl.brackets_paste) write_output("\x1b[?2004l");
  Result result;
  if (text != nullptr) {
    std::wstring line(text, static_cast<size_t>(length));
    while (!line.empty() && line.back() == L'\n') line.pop_back();
    result = {Outcome::kLine, narrow(line)};
    if (!impl.several_lines.empty()) {
      result.text = impl.several_lines;
      line = widen(result.text);
      put_on_one_line(line);
    }
    if (const std::string kept = narrow(line); !trim(kept).empty()) {
      impl.remember(kept);
      impl.history.add(kept);
    }
  } else if (impl.interrupted) {
    const LineInfoW* line = el_wline(impl.editor);
    result = {Outcome::kInterrupted, narrow({line->buffer, line->lastchar})};
  }
  if (text == nullptr) write_output("\n");
  return result;
}

}  // namespace trivium::cli
