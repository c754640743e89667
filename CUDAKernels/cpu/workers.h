// Threads that wait for work. They are never joined: a library that waits for threads while it is unloaded can hang.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace nabgs {

class Workers {
public:
    // Calls task(0) ... task(count - 1), on the calling thread and up to threads - 1 others; returns when all are done.
    void run(int threads, int64_t count, const std::function<void(int64_t)>& task) {
        if (threads <= 1 || count <= 1) {
            for (int64_t k = 0; k < count; ++k) task(k);
            return;
        }
        {
            std::lock_guard<std::mutex> lock(mutex_);
            task_ = &task;
            count_ = count;
            next_ = 0;
            helpers_ = int(threads - 1 < count - 1 ? threads - 1 : count - 1);
            for (; started_ < helpers_; ++started_) std::thread(&Workers::wait_for_work, this, started_).detach();
            busy_ = helpers_;
            ++round_;
        }
        wake_.notify_all();
        take(task, count);
        std::unique_lock<std::mutex> lock(mutex_);
        done_.wait(lock, [this] { return busy_ == 0; });
    }

private:
    void take(const std::function<void(int64_t)>& task, int64_t count) {
        for (int64_t k; (k = next_.fetch_add(1)) < count;) task(k);
    }

    void wait_for_work(int number) {
        uint64_t seen = 0;
        std::unique_lock<std::mutex> lock(mutex_);
        for (;;) {
            wake_.wait(lock, [&] { return round_ != seen; });
            seen = round_;
            if (number >= helpers_) continue;
            const auto* task = task_;
            const int64_t count = count_;
            lock.unlock();
            take(*task, count);
            lock.lock();
            if (--busy_ == 0) done_.notify_one();
        }
    }

    std::mutex mutex_;
    std::condition_variable wake_, done_;
    const std::function<void(int64_t)>* task_ = nullptr;
    std::atomic<int64_t> next_{0};
    int64_t count_ = 0;
    int helpers_ = 0, started_ = 0, busy_ = 0;
    uint64_t round_ = 0;
};

}  // namespace nabgs
