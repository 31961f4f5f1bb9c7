// FTP: commands and replies, the addresses of data connections, and what is expected of whom.
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "inspection/app/expectations.h"
#include "inspection/app/ftp/ftp_data.h"
#include "inspection/app/ftp/ftp_parser.h"
#include "tests/unit/inspection/engine/bytes.h"
#include "tests/unit/inspection/engine/dialog.h"

namespace weir::inspection {
namespace {

using namespace test;

net::IpAddress address(const char* text) { return net::parse_ip(text).value(); }

/// "COMMAND argument|code reply;code reply|port mode|answered|EVENT".
std::string line_of(FtpTransaction& tx) {
  std::string out = std::string(tx.command()) + ' ' + std::string(tx.argument()) + '|';
  for (size_t i = 0; i < tx.reply_count(); ++i)
    out += (i > 0 ? ";" : "") + std::string(tx.code(i)) + ' ' + std::string(tx.reply(i));
  out +=
      '|' + std::to_string(tx.port()) + ' ' + std::to_string(tx.mode()) + '|' + (tx.replied() ? "yes" : "no");
  for (unsigned bit = 0; bit < ftp_event_names().size(); ++bit) {
    if ((tx.app_events >> bit & 1) != 0) out += '|' + std::string(ftp_event_names()[bit]);
  }
  return out;
}

class Ftp : public testing::TestWithParam<size_t> {
 protected:
  Ftp() {
    dialog_.piece = GetParam();
    dialog_.between = [this] {
      if (auto transfer = static_cast<FtpParser&>(dialog_.parser()).take_transfer())
        transfers_.push_back(*transfer);
    };
  }
  std::vector<std::string> told() {
    dialog_.end();
    EXPECT_EQ(pool_.used(), 0u);
    return told_;
  }

  BytePool pool_{4 << 20};
  FtpSettings settings_;
  std::vector<std::string> told_;
  std::vector<FtpTransfer> transfers_;
  Dialog dialog_{FtpParser::make(pool_, settings_, address("192.0.2.1"), 0),
                 [this](Transaction& tx) { told_.push_back(line_of(static_cast<FtpTransaction&>(tx))); }};
};

using Lines = std::vector<std::string>;

TEST_P(Ftp, EachCommandIsATransactionWithItsReply) {
  dialog_.server("220-Hello\r\n 220 still\r\n220 (ready)\r\n");
  dialog_.client("user one\r\nPASS two three\r\n");
  dialog_.server("331 password\r\n230 in\r\n");
  dialog_.client("LIST\r\n");
  dialog_.server("150 wait\r\n226 done\r\n");
  dialog_.client("QUIT\r\n");
  EXPECT_EQ(told(),
            (Lines{" |220 Hello;  220 still;220 (ready)|0 0|yes", "USER one|331 password|0 0|yes",
                   "PASS two three|230 in|0 0|yes", "LIST |150 wait;226 done|0 0|yes", "QUIT ||0 0|no"}));
}

TEST_P(Ftp, TransfersAreAnnounced) {
  dialog_.client("PASV\r\n");
  dialog_.server("227 Entering (192,0,2,2,1,1)\r\n");
  dialog_.client("RETR a b.txt\r\n");
  dialog_.server("150 wait\r\n226 done\r\n");
  dialog_.client("EPRT |1|192.0.2.1|300|\r\n");
  dialog_.server("200 ok\r\n");
  dialog_.client("STOR up.bin\r\nSTOR again.bin\r\n");
  ASSERT_EQ(transfers_.size(), 2u);
  EXPECT_FALSE(transfers_[0].active);
  EXPECT_EQ(transfers_[0].where.port, 257);
  EXPECT_EQ(transfers_[0].what.file(), "a b.txt");
  EXPECT_FALSE(transfers_[0].what.to_server);
  EXPECT_TRUE(transfers_[1].active);
  EXPECT_EQ(transfers_[1].where.port, 300);
  EXPECT_EQ(transfers_[1].what.kind, FtpTransferKind::store);
  EXPECT_FALSE(transfers_[1].what.to_server);
  EXPECT_EQ(told().back(), "STOR again.bin||0 0|no|file_before_port");
}

TEST_P(Ftp, LongLinesAreCut) {
  dialog_.client("RETR " + std::string(5'000, 'a') + "\r\nNOOP\r\n");
  dialog_.server("550 " + std::string(5'000, 'b') + "\r\n200 ok\r\n");
  const Lines all = told();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_TRUE(all[0].ends_with("|yes|request_command_too_long|response_command_too_long|file_before_port"))
      << all[0].substr(8'000);
  EXPECT_EQ(all[1], "NOOP |200 ok|0 0|yes");
}

TEST_P(Ftp, CommandsThatNobodyAnswersAreBounded) {
  settings_.transactions = 2;
  dialog_.client("NOOP\r\nPWD\r\nCWD a\r\nCWD b\r\n");
  EXPECT_EQ(dialog_.error, AppError::transactions);
  EXPECT_EQ(told(), (Lines{"NOOP ||0 0|no", "PWD ||0 0|no|too_many_transactions"}));
}

TEST_P(Ftp, BehindAuthAnotherProtocolBegins) {
  dialog_.client("AUTH TLS\r\n");
  dialog_.server("234 go\r\n");
  EXPECT_EQ(dialog_.last, Next::other);
  EXPECT_EQ(told(), Lines{"AUTH TLS|234 go|0 0|yes"});
}

INSTANTIATE_TEST_SUITE_P(InPieces, Ftp, testing::Values(1, 5, 1'000'000));

TEST(FtpData, TheFileIsWhatTheControlConnectionSaid) {
  BytePool pool(4 << 20);
  HttpLimits limits;
  Expectation what;
  what.kind = FtpTransferKind::retrieve;
  std::copy_n("RETR", 4, what.command.begin());
  std::copy_n("a.bin", 5, what.name.begin());
  what.name_size = 5;
  std::vector<AppFile> files;
  size_t seen = 0;
  Dialog dialog(make_ftp_data_parser(pool, limits, what, 0), [&](Transaction& tx) {
    files.push_back(tx.file(Direction::to_client, 0));
    EXPECT_EQ(files.back().name, "a.bin");
    EXPECT_EQ(static_cast<FtpDataTransaction&>(tx).command(), "RETR");
    EXPECT_EQ(tx.number(NumberId::ftpdata_command, Direction::to_server, 0), FtpDataCommand::retrieve);
    EXPECT_EQ(tx.file_count(Direction::to_server), 0u);
  });
  dialog.between = [&] {
    for (Transaction* const tx : dialog.parser().transactions()) {
      const auto view = tx->buffer(BufferId::file_data, Direction::to_client, 0);
      seen += view->bytes.size() - view->old_size;
      tx->judged(BufferId::file_data, Direction::to_client);
    }
  };
  dialog.client("nobody reads this");
  dialog.server(std::string(100'000, 'x'));
  EXPECT_EQ(seen, 100'000u);
  dialog.end();
  ASSERT_EQ(files.size(), 1u);
  EXPECT_EQ(files[0].size, 100'000u);
  EXPECT_EQ(files[0].state, AppFile::State::closed);
  EXPECT_EQ(pool.used(), 0u);
}

// --- expectations ---

ExpectedEnds ends(uint16_t port, uint32_t domain = 1) {
  return {address("192.0.2.1"), address("192.0.2.2"), domain, 2, port};
}
Expectation named(std::string_view name) {
  Expectation what;
  what.kind = FtpTransferKind::retrieve;
  std::copy(name.begin(), name.end(), what.name.begin());
  what.name_size = static_cast<uint16_t>(name.size());
  return what;
}

TEST(Expectations, AreTakenOnceByWhoFits) {
  Expectations table(64, 1);
  EXPECT_FALSE(table.take(ends(1), 0));
  EXPECT_TRUE(table.expect(ends(1), named("a"), 0));
  EXPECT_FALSE(table.take(ends(2), 1));
  EXPECT_FALSE(table.take(ends(1, 7), 1));
  const auto taken = table.take(ends(1), 1);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->file(), "a");
  EXPECT_FALSE(table.take(ends(1), 1));
}

TEST(Expectations, EndWithTime) {
  Expectations table(64, 1);
  EXPECT_TRUE(table.expect(ends(1), named("a"), 5));
  EXPECT_FALSE(table.take(ends(1), 6 + Expectations::kLifetimeNs));
}

TEST(Expectations, TheOldestGivesWay) {
  Expectations table(Expectations::kWays, 1);  // one bucket
  for (uint16_t port = 1; port <= Expectations::kWays + 1; ++port)
    EXPECT_TRUE(table.expect(ends(port), named("a"), port));
  EXPECT_FALSE(table.take(ends(1), 100));
  for (uint16_t port = 2; port <= Expectations::kWays + 1; ++port)
    EXPECT_TRUE(table.take(ends(port), 100)) << port;
}

// Threads that announce and take at once: each announcement is taken at most once, and whole.
TEST(Expectations, ManyThreads) {
  constexpr uint16_t kPorts = 2'000;
  Expectations table(64, 1);
  std::atomic<unsigned> taken{0}, torn{0};
  std::atomic<bool> over{false};
  std::vector<std::thread> takers;
  for (int t = 0; t < 2; ++t) {
    takers.emplace_back([&] {
      while (!over) {
        for (uint16_t port = 1; port <= kPorts; ++port) {
          const auto found = table.take(ends(port), 1);
          if (!found) continue;
          ++taken;
          if (found->file() != std::to_string(port)) ++torn;
        }
      }
    });
  }
  for (uint16_t port = 1; port <= kPorts; ++port)
    (void)table.expect(ends(port), named(std::to_string(port)), 1);
  over = true;
  for (std::thread& thread : takers) thread.join();
  EXPECT_EQ(torn, 0u);
  EXPECT_LE(taken, unsigned{kPorts});
}

}  // namespace
}  // namespace weir::inspection
