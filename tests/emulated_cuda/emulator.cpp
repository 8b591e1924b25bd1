// SPDX-License-Identifier: Apache-2.0
#include "tests/emulated_cuda/emulator.h"

#include <boost/context/fiber.hpp>
#include <boost/context/fixedsize_stack.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <iterator>
#include <memory>
#include <numeric>
#include <random>
#include <utility>

namespace emulated {
namespace {

namespace ctx = boost::context;

constexpr int kWarp = 32;
constexpr size_t kStackBytes = 128 * 1024;
constexpr size_t kGuardBytes = 256;
constexpr unsigned char kUnwritten = 0xFF;  // a NaN in every float format
constexpr unsigned char kGuard = 0xA5;

[[noreturn]] void fail(const char* what) {
    std::fprintf(stderr, "emulated GPU: %s\n", what);
    std::abort();
}

// Stacks of finished threads, kept for the next ones.
class StackPool {
public:
    ctx::stack_context allocate() {
        if (m_free.empty()) return m_source.allocate();
        const ctx::stack_context stack = m_free.back();
        m_free.pop_back();
        return stack;
    }
    void deallocate(ctx::stack_context& stack) { m_free.push_back(stack); }

private:
    ctx::fixedsize_stack m_source{kStackBytes};
    std::vector<ctx::stack_context> m_free;
};

StackPool& stackPool() {
    thread_local StackPool* pool = new StackPool;  // outlives every fiber of the thread
    return *pool;
}

struct PooledStack {
    ctx::stack_context allocate() { return stackPool().allocate(); }
    void deallocate(ctx::stack_context& stack) { stackPool().deallocate(stack); }
};

struct DelayedCopy {
    void* target;
    const void* source;
    size_t bytes;
    size_t present;
};

struct Block;

struct Thread {
    Block* block = nullptr;
    Index index;
    int number = 0;
    ctx::fiber fiber;  // where the thread goes on
    ctx::fiber* scheduler = nullptr;
    bool isDone = false;
    int barrier = -1;  // waits at it
    std::vector<DelayedCopy> openCopies;
    std::deque<std::vector<DelayedCopy>> copyGroups;

    int lane() const { return number % kWarp; }
    int warp() const { return number / kWarp; }
};

// Lanes that exchange payloads: one for each mask of a warp. Two sets, so that a lane may go on to its next exchange
// while others still read the last.
struct Meeting {
    int warp = 0;
    unsigned mask = 0;
    unsigned arrived = 0;
    uint64_t round = 0;
    std::array<std::array<Payload, kWarp>, 2> payloads;
};

struct Block {
    Index index;
    Shape shape;
    std::vector<Thread> threads;
    std::vector<unsigned char> shared;
    std::vector<int> ready;
    std::vector<std::unique_ptr<Meeting>> meetings;
    std::array<std::vector<int>, 16> waiting;  // at each barrier
    std::array<int, 16> expected{};
    int alive = 0;
};

thread_local Thread* current = nullptr;

Thread& running() {
    if (current == nullptr) fail("device code outside a kernel");
    return *current;
}

void leave(Thread& thread) {
    *thread.scheduler = std::move(*thread.scheduler).resume();
}

void release(Block& block, int id) {
    for (const int number : block.waiting[static_cast<size_t>(id)]) {
        block.threads[static_cast<size_t>(number)].barrier = -1;
        block.ready.push_back(number);
    }
    block.waiting[static_cast<size_t>(id)].clear();
}

bool isComplete(const Block& block, int id) {
    const auto slot = static_cast<size_t>(id);
    const int wanted = block.expected[slot] == 0 ? block.alive : block.expected[slot];
    return !block.waiting[slot].empty() && static_cast<int>(block.waiting[slot].size()) >= wanted;
}

void apply(const std::vector<DelayedCopy>& copies) {
    for (const DelayedCopy& copy : copies) {
        std::memcpy(copy.target, copy.source, copy.present);
        std::memset(static_cast<unsigned char*>(copy.target) + copy.present, 0, copy.bytes - copy.present);
    }
}

Meeting& meetingOf(Block& block, int warp, unsigned mask) {
    for (const auto& meeting : block.meetings) {
        if (meeting->warp == warp && meeting->mask == mask) return *meeting;
    }
    auto meeting = std::make_unique<Meeting>();
    meeting->warp = warp;
    meeting->mask = mask;
    block.meetings.push_back(std::move(meeting));
    return *block.meetings.back();
}

class BlockRun {
public:
    BlockRun(const Shape& shape, const std::function<void()>& kernel) : m_kernel(kernel) {
        m_block.shape = shape;
        m_block.shared.resize(shape.sharedBytes + kGuardBytes + 128);
    }

    void run(Index index, std::mt19937& random) {
        m_block.index = index;
        prepare();
        while (m_block.alive > 0) {
            if (m_block.ready.empty()) failDeadlock();
            std::vector<int> turn = takeTurn(random);
            std::shuffle(turn.begin(), turn.end(), random);
            for (const int number : turn) resume(m_block.threads[static_cast<size_t>(number)]);
        }
        checkGuard();
    }

    static unsigned char* sharedStart(Block& block) {
        const auto address = reinterpret_cast<uintptr_t>(block.shared.data());
        return block.shared.data() + ((128 - address % 128) % 128);
    }

private:
    // The threads that go on next: mostly all that can of one warp, the same as long as it can. It gets as far ahead of
    // the others as barriers allow, which is where a missing one shows.
    std::vector<int> takeTurn(std::mt19937& random) {
        constexpr unsigned kTurnsOfAll = 16;  // one in so many
        std::vector<int> turn;
        if (random() % kTurnsOfAll == 0) {
            turn.swap(m_block.ready);
            return turn;
        }
        const auto isOfWarp = [this](int number) { return number / kWarp == m_leader; };
        if (std::ranges::none_of(m_block.ready, isOfWarp))
            m_leader = m_block.ready[random() % m_block.ready.size()] / kWarp;
        std::ranges::copy_if(m_block.ready, std::back_inserter(turn), isOfWarp);
        std::erase_if(m_block.ready, isOfWarp);
        return turn;
    }

    void prepare() {
        const Index& size = m_block.shape.block;
        const size_t count = size_t{size.x} * size.y * size.z;
        if (count == 0 || count > 1024) fail("a block has no or more than 1024 threads");
        std::fill(m_block.shared.begin(), m_block.shared.end(), kUnwritten);
        unsigned char* end = sharedStart(m_block) + m_block.shape.sharedBytes;
        std::fill(end, end + kGuardBytes, kGuard);
        m_block.threads.clear();
        m_block.threads.resize(count);
        m_block.meetings.clear();
        m_block.expected.fill(0);
        m_block.ready.resize(count);
        std::iota(m_block.ready.begin(), m_block.ready.end(), 0);
        m_block.alive = static_cast<int>(count);
        for (size_t i = 0; i < count; ++i) {
            Thread& thread = m_block.threads[i];
            thread.block = &m_block;
            thread.number = static_cast<int>(i);
            const auto n = static_cast<unsigned>(i);
            thread.index = {n % size.x, n / size.x % size.y, n / size.x / size.y};
        }
    }

    void resume(Thread& thread) {
        current = &thread;
        if (!thread.fiber) {
            thread.fiber = ctx::fiber(std::allocator_arg, PooledStack{}, [this, &thread](ctx::fiber&& scheduler) {
                thread.scheduler = &scheduler;
                m_kernel();
                thread.isDone = true;
                return std::move(scheduler);
            });
        }
        thread.fiber = std::move(thread.fiber).resume();
        current = nullptr;
        if (!thread.isDone) return;
        --m_block.alive;
        for (int id = 0; id < static_cast<int>(m_block.waiting.size()); ++id) {
            if (isComplete(m_block, id)) release(m_block, id);
        }
    }

    void checkGuard() {
        const unsigned char* end = sharedStart(m_block) + m_block.shape.sharedBytes;
        if (std::any_of(end, end + kGuardBytes, [](unsigned char byte) { return byte != kGuard; }))
            fail("a kernel wrote behind its shared memory");
    }

    [[noreturn]] void failDeadlock() const {
        int atBarrier = 0;
        for (const Thread& thread : m_block.threads) atBarrier += !thread.isDone && thread.barrier >= 0 ? 1 : 0;
        std::fprintf(stderr, "emulated GPU: block (%u, %u, %u): %d threads wait for ever, %d of them at a barrier\n",
                     m_block.index.x, m_block.index.y, m_block.index.z, m_block.alive, atBarrier);
        std::abort();
    }

    const std::function<void()>& m_kernel;
    Block m_block;
    int m_leader = 0;  // the warp that goes on as long as it can
};

}  // namespace

const Index& threadIndex() {
    return running().index;
}
const Index& blockIndex() {
    return running().block->index;
}
const Index& blockSize() {
    return running().block->shape.block;
}
const Index& gridSize() {
    return running().block->shape.grid;
}
int laneIndex() {
    return running().lane();
}
void* dynamicSharedMemory() {
    return BlockRun::sharedStart(*running().block);
}

void waitAtBarrier(int id, int count) {
    Thread& thread = running();
    Block& block = *thread.block;
    thread.barrier = id;
    block.expected[static_cast<size_t>(id)] = count;
    block.waiting[static_cast<size_t>(id)].push_back(thread.number);
    if (isComplete(block, id)) release(block, id);
    leave(thread);
}

const Payload* exchange(unsigned mask, const void* mine, size_t bytes) {
    Thread& thread = running();
    const unsigned bit = 1U << thread.lane();
    if ((mask & bit) == 0) fail("a lane takes part in a collective operation whose mask leaves it out");
    if (bytes > sizeof(Payload)) fail("a payload is too large");
    Block& block = *thread.block;
    const auto rest = static_cast<int>(block.threads.size()) - thread.warp() * kWarp;
    const unsigned present = rest >= kWarp ? ~0U : (1U << rest) - 1U;
    Meeting& meeting = meetingOf(block, thread.warp(), mask);
    auto& payloads = meeting.payloads[meeting.round % 2];
    std::memcpy(payloads[static_cast<size_t>(thread.lane())].bytes, mine, bytes);
    meeting.arrived |= bit;
    if (meeting.arrived != (mask & present)) {
        leave(thread);
        return payloads.data();
    }
    meeting.arrived = 0;
    ++meeting.round;
    for (int lane = 0; lane < kWarp; ++lane) {
        if ((mask & present & ~bit & (1U << lane)) != 0) block.ready.push_back(thread.warp() * kWarp + lane);
    }
    return payloads.data();
}

void copyLater(void* target, const void* source, size_t bytes, size_t present) {
    running().openCopies.push_back({target, source, bytes, present});
}

void commitCopies() {
    Thread& thread = running();
    thread.copyGroups.push_back(std::exchange(thread.openCopies, {}));
}

void waitForCopies(int groupsInFlight) {
    Thread& thread = running();
    while (static_cast<int>(thread.copyGroups.size()) > groupsInFlight) {
        apply(thread.copyGroups.front());
        thread.copyGroups.pop_front();
    }
}

void runGrid(const Shape& shape, const std::function<void()>& kernel) {
    if (shape.sharedBytes > 227 * 1024) fail("more shared memory than a block can have");
    if (shape.grid.y > 65535 || shape.grid.z > 65535) fail("the grid has more than 65535 blocks along y or z");
    const uint64_t count = uint64_t{shape.grid.x} * shape.grid.y * shape.grid.z;
    thread_local std::mt19937 random(20261120);  // NOLINT: the same order in every run of a test
    std::vector<uint64_t> order(count);
    std::iota(order.begin(), order.end(), uint64_t{0});
    std::shuffle(order.begin(), order.end(), random);
    BlockRun block(shape, kernel);
    for (const uint64_t i : order) {
        const uint64_t plane = i / shape.grid.x;
        block.run({static_cast<unsigned>(i % shape.grid.x), static_cast<unsigned>(plane % shape.grid.y),
                   static_cast<unsigned>(plane / shape.grid.y)},
                  random);
    }
}

}  // namespace emulated
