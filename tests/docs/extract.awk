# Writes each block of a markdown page that is fenced with ```cpp compile to `prefix`_<n>.cpp and prints the name.
/^```cpp compile$/ {
  file = prefix "_" ++blocks ".cpp"
  printf "" > file
  print file
  next
}
/^```/ { if (file) close(file); file = "" }
file { print > file }
